"""Benchmarks of the live service: handing over messages, and taking events over HTTP.

Owns the workloads and what they stand beside: the bare client library for deliveries, plain asking for ingestion.
Must never share a process with the other end of the wire.
"""
