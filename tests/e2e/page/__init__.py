"""The page in a real Chromium, against the real server and the built-in counter."""
