"""What is made of an outcome: figures, the result's document, and the pages and lines for people. Pure."""
