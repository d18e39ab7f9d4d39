"""The jobs of a Proxytune run: teacher, proxies, student, evaluation."""
