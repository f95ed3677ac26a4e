"""The reference device and the reference driver as real peers on a socket, for other people's code."""
