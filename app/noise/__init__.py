"""What paging cost people, what of it was for nothing, and what came before. Reads only."""
