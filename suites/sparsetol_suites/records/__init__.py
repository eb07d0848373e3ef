"""Records that tasks read from files and data sets, checked one by one with the place of what is wrong."""
