"""Images that are generated, for the embedded data sets."""
