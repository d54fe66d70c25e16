"""`generate` of transformers without any steering: what steering is measured against."""

from loading import forever, greedy, load


class Contender:
    def __init__(self, folder: str, dtype: str) -> None:
        self.network, self.tokenizer = load(folder, dtype)
        forever(self.network)

    def generate(self, prompts, tokens, vectors, strength):
        return greedy(self.network, self.tokenizer, prompts, tokens)
