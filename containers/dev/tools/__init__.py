"""Scripts, run by their paths: `python containers/dev/tools/NAME.py --help`."""
