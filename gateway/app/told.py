"""What a person is told when something cannot be used: English first, then Chinese."""


class Told(Exception):
    """An error in words for a person; ``str`` of it has both languages."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(f"{en} / {zh}")
        self.en = en
        self.zh = zh
