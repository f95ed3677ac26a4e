"""The reference device and the reference driver as implementations under test, in this process."""
