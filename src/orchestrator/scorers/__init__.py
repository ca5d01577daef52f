"""Scorers: what judges a text, a customer or a basket for a `score` step, and says why.

Owns the kinds that come with the product (rules, sentiment, topic, churn, recommend, onnx) and the door for those that
other packages bring. A scorer is a pure function: the same input gives the same judgement, byte for byte, with no
clock, no dice and no network. Must never import what a kind needs before a project uses that kind.
"""
