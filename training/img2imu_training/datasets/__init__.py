"""Public recordings: a catalogue, a downloader, and a converter per set to this project's `.npz` corpora."""
