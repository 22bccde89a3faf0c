"""What tests are written with: waiting, commands, a Socket.IO client, recordings."""
