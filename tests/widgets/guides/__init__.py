"""The worked examples of docs/guides, step by step, as a person does them."""
