"""Lets half of the generated questions be about clusters that the simulated Azure knows; the others stay as generated."""

import os
import zlib

import schemathesis

CLUSTERS = os.environ["FUZZ_CLUSTERS"].split(",")


def with_known_cluster(fields):
    if isinstance(fields, dict) and isinstance(fields.get("clusterId"), str):
        # From the value alone, so that a failure can be repeated.
        pick = zlib.crc32(fields["clusterId"].encode("utf-8", "surrogatepass"))
        if pick % 2:
            return {**fields, "clusterId": CLUSTERS[pick // 2 % len(CLUSTERS)]}
    return fields


@schemathesis.hook
def map_query(context, query):
    return with_known_cluster(query)


@schemathesis.hook
def map_body(context, body):
    return with_known_cluster(body)
