"""What a person is told when something cannot be used: English first, then Chinese."""

Words = tuple[str, str]
"""One text in English and in Chinese."""


class Told(Exception):
    """An error in words for a person; ``str`` of it has both languages."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(f"{en} / {zh}")
        self.en = en
        self.zh = zh

    @property
    def words(self) -> Words:
        """Both languages apart."""
        return self.en, self.zh
