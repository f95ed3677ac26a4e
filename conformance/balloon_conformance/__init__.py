"""The conformance suite: judges any virtio-balloon driver or device against :mod:`balloon_spec`."""
