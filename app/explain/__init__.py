"""Why somebody was paged or was not, and who would be: told in sentences, from what was written down. Changes nothing."""
