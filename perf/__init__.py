"""Speed against peers, measured: `python -m perf.NAME` prints a table and appends a row to results.jsonl.

Times are medians of interleaved rounds, so that both sides meet the same machine; read the ratios, not the seconds.
"""
