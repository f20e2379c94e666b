"""What answers that are pages have in common: their headers, and addresses with anything in them."""

from __future__ import annotations

from typing import Final

from starlette.convertors import StringConvertor, register_url_convertor

HTML: Final = "text/html; charset=utf-8"
_POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
PAGE_HEADERS: Final = {
    "cache-control": "no-store",
    "content-security-policy": _POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "vary": "accept-language",
    "x-robots-tag": "noindex, nofollow, noarchive",
}


class _Anything(StringConvertor):
    """What a person or a machine may put behind the slash, line feeds and slashes too: all of it is a number to us."""

    regex = r"[\s\S]*"


register_url_convertor("anything", _Anything())
