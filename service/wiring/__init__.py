"""Composition: from settings to wired processes. The only place that knows every part."""
