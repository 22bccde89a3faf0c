"""What the processes say to each other, and how: frames, channel, calls, messages, who is where."""
