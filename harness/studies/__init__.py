"""What is done with finished runs, or beside them. Plain functions; the command line only calls them."""
