"""Text encoders: sentence-transformers models over packed tokens, ONNX exports, a cache of embeddings."""
