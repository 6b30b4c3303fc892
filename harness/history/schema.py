# SPDX-License-Identifier: MIT
"""The layout of the history, and its migrations from older ones.

A run is stored as the same document that `results.json` holds; the views `machine` and `result` take it apart for
queries in SQL. So nothing is stored twice, and a new field of the record needs no new layout. `PRAGMA user_version`
counts the steps below that a file has taken; https://www.sqlite.org/pragma.html#pragma_user_version
"""

from __future__ import annotations

STEPS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE run (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            started TEXT NOT NULL,          -- ISO 8601, UTC
            seconds REAL NOT NULL,
            exit_status INTEGER NOT NULL,   -- RunReport.exit_status
            folder TEXT NOT NULL,           -- the run folder, which may be gone by now
            report TEXT NOT NULL CHECK (json_valid(report))
        )
        """,
        """
        CREATE VIEW machine AS SELECT
            run.id AS run,
            json_extract(entry.value, '$.kernel') AS kernel,
            json_extract(entry.value, '$.arch') AS arch,
            json_extract(entry.value, '$.uname') AS uname,
            json_extract(entry.value, '$.qemu_version') AS qemu_version,
            json_extract(entry.value, '$.provenance.sha256.image') AS image_sha256,
            json_extract(entry.value, '$.provenance.sha256.config') AS config_sha256,
            json_extract(entry.value, '$.boot_seconds') AS boot_seconds,
            json_extract(entry.value, '$.trouble') AS trouble
        FROM run, json_each(run.report, '$.machines') AS entry
        """,
        """
        CREATE VIEW result AS SELECT
            run.id AS run,
            json_extract(entry.value, '$.lane') AS lane,
            json_extract(entry.value, '$.script') AS script,
            json_extract(entry.value, '$.verdict') AS verdict,
            json_extract(entry.value, '$.reason') AS reason,
            json_extract(entry.value, '$.operation.index') AS operation,
            json_extract(entry.value, '$.seconds') AS seconds
        FROM run, json_each(run.report, '$.results') AS entry
        """,
    ),
    (
        "DROP VIEW result",
        """
        CREATE VIEW result AS SELECT
            run.id AS run,
            json_extract(entry.value, '$.lane') AS lane,
            json_extract(entry.value, '$.script') AS script,
            json_extract(entry.value, '$.verdict') AS verdict,
            json_extract(entry.value, '$.reason') AS reason,
            json_extract(entry.value, '$.operation.index') AS operation,
            json_extract(entry.value, '$.seconds') AS seconds,
            coalesce(json_extract(entry.value, '$.rounds'), 1) AS rounds,
            json_array_length(entry.value, '$.unpredicted') AS unpredicted
        FROM run, json_each(run.report, '$.results') AS entry
        """,
    ),
)
"""Statements by step; a step, once released, is never edited."""
