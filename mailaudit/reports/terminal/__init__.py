"""What people read: reports, rule pages and parse annotations for a terminal of any width, with or without colour."""
