"""What `tocsin demo` is made of: a real server beside this process, spoken to only as people and senders do, by HTTP."""
