"""Many small landed files become few large ones, sorted by user and session; the proof is kept.

A compacted file is a landed file like any other: its name and footer say which offsets it accounts for. It
is created whole, and only then are the files removed that it replaces, each once all of its rows are proved
to be in the new one. Between the two moments coverage.shares() tells which file counts; what a crash leaves
behind is superfluous by the same rule, and removed by the next compaction, after the same proof.
"""

from ingest.compaction.run import CompactionReport, compact

__all__ = ["CompactionReport", "compact"]
