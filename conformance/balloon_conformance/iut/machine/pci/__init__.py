"""virtio over PCI: the modern interface, and the legacy interface of a transitional device."""
