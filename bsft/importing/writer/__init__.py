"""Turns case reports in free text into cases and scenes with a language model, and checks every reply against the text.

Needs the extra `writer` (the official `openai` client) and any OpenAI-compatible endpoint.
"""
