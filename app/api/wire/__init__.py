"""Other services' APIs, to the letter, so that their senders and client libraries need nothing but another host name."""
