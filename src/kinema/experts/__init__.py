"""Experts: frozen networks that others trained. They say which weights they hold; where these are absent they stop."""
