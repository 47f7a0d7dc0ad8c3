"""The user's file of sentence embeddings, read as by the study of naive Bayes."""

from experiments.naive_bayes_vs_logistic.files import NAME, load_embeddings

__all__ = ["NAME", "load_embeddings"]
