"""The error tree: stable codes, drawn in the docstring, texts free of anybody's data."""

from __future__ import annotations

import re
from importlib.resources import files

from signing import ERROR_TEXTS_ZH, errors
from signing.errors import Retry, SigningError


def everyone(root: type[SigningError] = SigningError) -> list[type[SigningError]]:
    return [root, *(each for child in root.__subclasses__() for each in everyone(child))]


def test_codes_are_unique() -> None:
    codes = [each.code for each in everyone()]
    assert len(codes) == len(set(codes)) > 50
    assert all(re.fullmatch(r"SIGN-[0-4]\d\d", code) for code in codes)


def test_a_code_stands_below_the_code_of_its_parent() -> None:
    for each in everyone():
        for child in each.__subclasses__():
            assert child.code[:6] == each.code[:6] or each is SigningError


def test_the_docstring_is_the_message() -> None:
    for each in everyone():
        text = str(each())
        assert text.endswith(".")
        assert "\n" not in text
        assert str(each("detail")) == f"{text} (detail)"


def test_the_tree_is_drawn_whole_above_the_verification_errors() -> None:
    drawn = errors.__doc__ or ""
    for each in everyone():
        is_refusal = issubclass(each, errors.VerificationError)
        assert each.__name__ in drawn or (is_refusal and each.__bases__[0].__name__ in drawn)


def test_only_a_key_is_worth_another_try() -> None:
    again = [each for each in everyone() if each.retry is not Retry.NEVER]
    assert errors.KeyFailed in again
    assert all(issubclass(each, errors.SigningKeyError) for each in again)


def test_what_passes_by_itself_is_tried_again() -> None:
    for each in everyone(errors.SigningKeyError):
        assert issubclass(each, errors.SigningKeyError)
        if each.reaction is errors.Reaction.RETRY:
            assert each.retry is Retry.LATER


def test_every_code_stands_in_the_documentation_with_its_text() -> None:
    text = files("signing").joinpath("docs.md").read_text(encoding="utf-8")
    for each in everyone():
        assert f"| {each.code} | {each.__name__} | {each()} |\n" in text


def test_every_error_of_keys_and_documents_says_in_chinese_what_to_do() -> None:
    roots = (errors.SettingError, errors.SigningKeyError, errors.DocumentError)
    leaves = {one.code for root in roots for one in everyone(root) if not one.__subclasses__()}
    assert set(ERROR_TEXTS_ZH) == leaves
    assert all(re.search("[\u4e00-\u9fff]", text) for text in ERROR_TEXTS_ZH.values())
