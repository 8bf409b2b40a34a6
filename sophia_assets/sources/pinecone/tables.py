"""Pinecone's raw tables: what they hold, their keys, freshness and rules."""

from __future__ import annotations

from datetime import timedelta

from sophia_assets.sources.columns import (
    between,
    floating,
    integer,
    key_rules,
    not_null,
    one_of,
    refers_to,
    string,
    timestamp,
)
from sophia_assets.sources.declarations import Column, ColumnType, Freshness, Table

SYSTEM = "pinecone"

_NAMESPACES = Table(
    system=SYSTEM,
    name="namespaces",
    group="index",
    description="The index's namespaces with the number of vectors in each, which lags behind what is in them.",
    primary_key=("namespace",),
    is_dimension=True,
    # A measurement of the present only.
    keeps_versions=True,
    owner="team:knowledge",
    columns=(
        string("namespace", "The namespace's name; `__default__` for the one without a name."),
        integer("vectors", "How many vectors it holds, as Pinecone last counted them."),
    ),
    expectations=(*key_rules("namespace"), between("vectors", 0, None)),
)

_INDEX_STATS = Table(
    system=SYSTEM,
    name="index_stats",
    group="index",
    description="The index as a whole: its size, how similarity is measured, and whether it is ready.",
    primary_key=("index_name",),
    is_dimension=True,
    # A measurement of the present only.
    keeps_versions=True,
    owner="team:knowledge",
    columns=(
        string("index_name", "The index's name."),
        integer("dimension", "How many numbers each vector has; empty for a sparse index."),
        string("metric", "How similarity is measured: cosine, dotproduct or euclidean."),
        integer("total_vectors", "How many vectors all namespaces hold, as Pinecone last counted them."),
        floating("index_fullness", "How full a pod-based index is, 0 to 1; 0 for a serverless one."),
        string("status", "The index's state, such as Ready; empty where the API key may not see it."),
    ),
    expectations=(
        *key_rules("index_name"),
        one_of("status", ["Ready"], severity="warn", recovery="Look at the index in Pinecone's console."),
        between("index_fullness", 0, 1, severity="warn", recovery="Add pods to the index, or drop old vectors."),
    ),
)

_DOCUMENTS = Table(
    system=SYSTEM,
    name="documents",
    group="documents",
    description="The passages of documents that the index can find, by what their vectors' metadata says.",
    primary_key=("namespace", "document_id"),
    entity="document_id",
    # The index forgets what it replaces or removes.
    keeps_versions=True,
    # Knowledge that nobody has touched for a month is a pipeline that has stopped rather than a quiet month.
    freshness=Freshness(newest_event=timedelta(days=30), event_column="updated_at"),
    owner="team:knowledge",
    columns=(
        string("namespace", "The namespace that the vector is in; `__default__` for the one without a name."),
        string("document_id", "The vector's id."),
        string("title", "The document's title."),
        string("source", "Where the document comes from, such as a wiki or a help desk."),
        string("kind", "What sort of document it is."),
        string("account_id", "The HubSpot company that the document is about; empty where it is about none."),
        string("account_name", "That company's name."),
        string("author", "Who wrote the document."),
        string("url", "Where the document can be read."),
        integer("chunk", "The passage's place in the document, from 0."),
        timestamp("created_at", "When the document was written."),
        timestamp("updated_at", "When the document was last changed."),
        Column("metadata", ColumnType.JSON, "The vector's whole metadata."),
    ),
    expectations=(
        *key_rules("namespace", "document_id"),
        refers_to("namespace", "pinecone.namespaces"),
        refers_to("account_id", "hubspot.companies", "company_id", mostly=0.9),
        not_null("title", severity="warn", mostly=0.9, recovery="Give every vector a `title` in its metadata."),
        between("chunk", 0, None, severity="warn"),
    ),
)

TABLES: tuple[Table, ...] = (_NAMESPACES, _INDEX_STATS, _DOCUMENTS)
