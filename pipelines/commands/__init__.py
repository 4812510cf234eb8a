"""The verbs of `asleep`, one module each."""
