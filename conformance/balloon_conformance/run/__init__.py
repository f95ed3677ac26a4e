"""What pytest sees of a run: the plugin that collects the cases, its options, and the live display."""
