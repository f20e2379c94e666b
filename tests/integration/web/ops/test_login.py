from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

import psycopg
import pytest
from httpx import Client

from service.adapters.postgres.access.tokens import create_token
from service.adapters.postgres.database import connect
from service.errors import Retryable
from service.metrics import Metrics
from service.runtime.lifecycle import Stop
from service.web.html.catalogue import LANGUAGES
from service.web.http import guard
from service.wiring import serving
from tests.support.api import settings_for, token
from tests.support.loglines import logged
from tests.support.ops import ATTACKS, MARK, assert_escaped, audit, desk, fields, log_in, texts
from tests.support.web import behind_tls, served

pytestmark = pytest.mark.postgres


@pytest.fixture
def stranger(database: str) -> Iterator[Client]:
    with desk(settings_for(database)) as client:
        yield client


@pytest.fixture
def agent(database: str) -> Iterator[Client]:
    with desk(settings_for(database), "ops") as client:
        yield client


def _is_in(client: Client) -> bool:
    return client.get("/ops").status_code == 200


def test_whoever_is_not_logged_in_is_led_to_the_login_and_from_there_back(stranger: Client, database: str) -> None:
    led = stranger.get("/ops/audit?subject=R-1&x=%22")

    assert (led.status_code, led.headers["location"]) == (303, "/ops/login?next=/ops/audit%3Fsubject%3DR-1%26x%3D%2522")
    page = stranger.get(led.headers["location"])
    back = stranger.post("/ops/login", data={**fields(page), "token": token(settings_for(database), "ops")})
    assert (back.status_code, back.headers["location"]) == (303, "/ops/audit?subject=R-1&x=%22")
    assert stranger.get(back.headers["location"]).status_code == 200


def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites_and_the_id_is_not_stored(
    stranger: Client, database: str
) -> None:
    answer = log_in(stranger, token(settings_for(database), "ops"))

    cookies = answer.headers.get_list("set-cookie")
    (cookie,) = (each for each in cookies if each.startswith(guard.SESSION))
    assert {"HttpOnly", "Path=/ops", "SameSite=lax"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    session_id = stranger.cookies[guard.SESSION]
    with psycopg.connect(database) as connection:
        (row,) = connection.execute("SELECT ops_sessions::text, hash FROM ops_sessions").fetchall()
    assert session_id not in row[0]
    assert session_id.encode() not in row[1]


@pytest.mark.parametrize("by", ("a proxy that is believed", "the address that people come under"))
def test_over_https_the_cookies_stay_there_and_belong_to_the_host(database: str, by: str) -> None:
    settings = settings_for(database, public_url=None if by.startswith("a proxy") else "https://desk.example")
    proxies = [ip_network("127.0.0.1")] if by.startswith("a proxy") else []
    with serving.web(settings, Metrics(), Stop()) as app, served(app, proxies=proxies) as client:
        # The proxy in front of the test's server is the test itself.
        behind_tls(client)
        if proxies:
            client.headers["x-forwarded-proto"] = "https"
        answer = log_in(client, token(settings, "ops"))
        is_in = _is_in(client)
        client.cookies.set(guard.SESSION, client.cookies[f"__Host-{guard.SESSION}"], domain="127.0.0.1", path="/")
        client.cookies.delete(f"__Host-{guard.SESSION}")
        is_in_by_another_name = _is_in(client)

    cookies = answer.headers.get_list("set-cookie")
    assert (answer.status_code, is_in, is_in_by_another_name) == (303, True, False)
    assert {cookie.partition("=")[0] for cookie in cookies} == {"__Host-ops_session", "__Host-ops_login"}
    assert all({"Secure", "Path=/", "HttpOnly"} <= set(cookie.split("; ")) for cookie in cookies)
    assert not [cookie for cookie in cookies if "domain" in cookie.lower()]


def test_who_is_no_named_proxy_does_not_say_how_people_come(database: str) -> None:
    with desk(settings_for(database), **{"x-forwarded-proto": "https"}) as client:
        page = client.get("/ops/login")

    assert not [cookie for cookie in page.headers.get_list("set-cookie") if "Secure" in cookie]


def test_a_login_gets_a_new_id_and_ends_the_session_before_it(agent: Client, database: str) -> None:
    former = agent.cookies[guard.SESSION]
    agent.cookies.delete(guard.SESSION)
    page = agent.get("/ops/login")
    agent.cookies.set(guard.SESSION, former, domain="127.0.0.1", path="/ops")

    agent.post("/ops/login", data={**fields(page), "token": token(settings_for(database), "ops")})

    ids = {cookie.value for cookie in agent.cookies.jar if cookie.name == guard.SESSION} - {former}
    assert len(ids) == 1
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM ops_sessions").fetchone() == (1,)


def test_a_session_id_that_somebody_else_made_up_opens_nothing(stranger: Client, database: str) -> None:
    stranger.cookies.set(guard.SESSION, "planted", domain="127.0.0.1", path="/ops")

    assert not _is_in(stranger)
    log_in(stranger, token(settings_for(database), "ops"))
    assert "planted" not in {cookie.value for cookie in stranger.cookies.jar if cookie.name == guard.SESSION} or (
        not _is_in(stranger)
    )


@pytest.mark.parametrize("scopes", (("read",), ("read", "create", "hub")))
def test_a_token_without_the_scope_opens_nothing(stranger: Client, database: str, scopes: tuple[str, ...]) -> None:
    answer = log_in(stranger, token(settings_for(database), *scopes))

    assert answer.status_code == 403
    assert "This token does not open the desk" in texts(answer)
    assert not _is_in(stranger)
    assert audit(database) == [("login_failed", None, "", ["client"])]


def test_a_wrong_token_opens_nothing_and_is_not_repeated(database: str) -> None:
    secrets = ("", "rts_wrong", "x" * 300, *ATTACKS)
    with desk(settings_for(database, ops_login_failures=1000)) as client, logged() as lines:
        answers = [log_in(client, secret) for secret in secrets]
        logged_in = _is_in(client)

    assert not logged_in
    assert {answer.status_code for answer in answers} == {403}
    assert not [answer.text for answer in answers if MARK in answer.text]
    assert MARK not in lines.getvalue()
    assert [row[0] for row in audit(database)] == ["login_failed"] * len(secrets)


def test_a_revoked_token_ends_its_sessions(agent: Client, database: str) -> None:
    assert _is_in(agent)

    with psycopg.connect(database) as owner:
        owner.execute("UPDATE tokens SET revoked_at = now()")

    assert not _is_in(agent)


def test_a_token_that_loses_the_scope_ends_its_sessions(agent: Client, database: str) -> None:
    with psycopg.connect(database) as owner:
        owner.execute("UPDATE tokens SET scopes = '{read,hub}'")

    assert not _is_in(agent)


@pytest.mark.parametrize(
    "change",
    ("used_at = used_at - interval '31 minutes'", "expires_at = expires_at - interval '12 hours 1 second'"),
)
def test_a_session_ends_unused_or_old(agent: Client, database: str, change: str) -> None:
    with psycopg.connect(database) as owner:
        owner.execute(f"UPDATE ops_sessions SET {change}".encode())

    assert not _is_in(agent)


def test_a_session_that_is_used_goes_on(agent: Client, database: str) -> None:
    for _ in range(3):
        with psycopg.connect(database) as owner:
            owner.execute("UPDATE ops_sessions SET used_at = used_at - interval '29 minutes'")
        assert _is_in(agent)


def test_logging_out_ends_the_session_for_good(agent: Client, database: str) -> None:
    session_id = agent.cookies[guard.SESSION]

    answer = agent.post("/ops/logout", data=fields(agent.get("/ops"), "/ops/logout"))

    assert (answer.status_code, answer.headers["location"]) == (303, "/ops/login")
    agent.cookies.set(guard.SESSION, session_id, domain="127.0.0.1", path="/ops")
    assert not _is_in(agent)
    assert [row[0] for row in audit(database)] == ["login", "logout"]


ELSEWHERE = (
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "none"},
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://[:"},
    {"sec-fetch-site": "cross-site", "origin": "http://127.0.0.1"},
)


def test_a_form_from_elsewhere_does_nothing(agent: Client, database: str) -> None:
    form = fields(agent.get("/ops"), "/ops/logout")

    answers = [agent.post("/ops/logout", data=form, headers=headers) for headers in ELSEWHERE]

    assert {answer.status_code for answer in answers} == {403}
    assert all("Nothing was done" in texts(answer) for answer in answers)
    assert _is_in(agent)
    assert [row[0] for row in audit(database)] == ["login"]


def test_nobody_is_logged_in_from_elsewhere(stranger: Client, database: str) -> None:
    secret = token(settings_for(database), "ops")

    answers = [log_in(stranger, secret, **headers) for headers in ELSEWHERE]
    without = stranger.post("/ops/login", data={"token": secret, "next": "/ops"})

    assert {answer.status_code for answer in (*answers, without)} == {403}
    assert not _is_in(stranger)


def test_a_form_without_its_token_does_nothing(agent: Client) -> None:
    own = {"sec-fetch-site": "same-origin"}
    forms = ({}, {"form": ""}, {"form": "0" * 64}, {"form": "ü"}, *({"form": attack} for attack in ATTACKS))
    good = fields(agent.get("/ops"), "/ops/logout")["form"]

    answers = [agent.post("/ops/logout", data=form, headers=own) for form in forms]
    answers += [
        agent.post("/ops/logout", json={"form": good}, headers=own),
        agent.post("/ops/logout", content=f"form={good}", headers={**own, "content-type": "text/plain"}),
        agent.post("/ops/logout", data={f"f{n}": "x" for n in range(60)} | {"form": good}, headers=own),
        agent.post(f"/ops/logout?form={good}", headers=own),
    ]

    assert {answer.status_code for answer in answers} == {403}
    assert not [answer.text for answer in answers if MARK in answer.text]
    assert _is_in(agent)


def test_the_form_of_another_session_does_nothing(agent: Client, database: str) -> None:
    with desk(settings_for(database), "ops") as other:
        form = fields(other.get("/ops"), "/ops/logout")

    assert agent.post("/ops/logout", data=form).status_code == 403


@pytest.mark.parametrize(
    ("origin", "public_url"), (("http://{host}", None), ("https://desk.example", "https://desk.example/"))
)
def test_a_form_from_our_own_address_is_taken(database: str, origin: str, public_url: str | None) -> None:
    settings = settings_for(database, public_url=public_url)
    with desk(settings) as client:
        behind_tls(client)
        log_in(client, token(settings, "ops"))
        origin = origin.format(host=client.base_url.netloc.decode())
        answer = client.post("/ops/logout", data=fields(client.get("/ops"), "/ops/logout"), headers={"origin": origin})

    assert answer.status_code == 303


def test_who_fails_too_often_has_to_wait_and_nobody_else_who_comes_from_there(stranger: Client, database: str) -> None:
    # Everybody behind one proxy had to wait, whatever their token, for as long as one of them went on.
    good, of_no_use = (token(settings_for(database), scope) for scope in ("ops", "read"))
    page = fields(stranger.get("/ops/login"))

    answers = [stranger.post("/ops/login", data={**page, "token": f"rts_{n}"}) for n in range(12)]
    other = stranger.post("/ops/login", data={**page, "token": of_no_use})
    welcome = stranger.post("/ops/login", data={**page, "token": good})

    assert [answer.status_code for answer in answers[:10]] == [403] * 10
    assert {answer.status_code for answer in answers[10:]} == {429}
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    assert "Too many attempts failed" in texts(answers[-1])
    assert len(audit(database)) == 12  # ten that failed, the one of no use, and the login
    assert (other.status_code, welcome.status_code) == (403, 303)


def test_logins_that_succeed_are_not_counted(stranger: Client, database: str) -> None:
    good = token(settings_for(database), "ops")

    for _ in range(15):
        stranger.cookies.clear()
        assert log_in(stranger, good).status_code == 303


def test_a_login_leads_to_pages_of_the_desk_only(stranger: Client, database: str) -> None:
    secret = token(settings_for(database), "ops")
    goals = (
        "https://evil.example/", "//evil.example", "/\\evil.example", "/ops//evil.example/..", "/ops\r\nx: y",
        "/opsevil", "/ops/../../evil", "/track", "/ops/login", *ATTACKS,
    )  # fmt: skip

    for goal in goals:
        stranger.cookies.clear()
        answer = log_in(stranger, secret, goal)
        assert (answer.status_code, answer.headers["location"]) == (303, "/ops"), goal


def test_every_page_is_for_nobody_else_to_keep_show_or_find(agent: Client) -> None:
    for path in ("/ops", "/ops/audit", "/ops/login", "/ops/nowhere"):
        headers = agent.get(path).headers
        assert headers["cache-control"] == "no-store"
        assert "noindex" in headers["x-robots-tag"]
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "same-origin"
        assert "cookie" in headers["vary"]


def test_the_language_that_is_chosen_stays(stranger: Client) -> None:
    for language in LANGUAGES:
        chosen = stranger.get(f"/ops/login?lang={language}", headers={"accept-language": "it"})
        kept = stranger.get("/ops/login", headers={"accept-language": "it"})

        assert f'<html lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}">' in chosen.text
        assert kept.headers["content-language"] == language
    stranger.cookies.clear()
    assert stranger.get("/ops/login", headers={"accept-language": "fr"}).headers["content-language"] == "fr"


def test_an_address_that_is_none_is_a_page_too(agent: Client) -> None:
    for path in ("/ops/", "/ops/nowhere", "/ops/returns/a/b/c/d", f"/ops/%3Cscript%3E{MARK}", "/ops/%00", "/ops/%ff"):
        answer = agent.get(path)
        assert answer.status_code in {404, 303}
        assert MARK not in answer.text


def test_the_audit_log_is_shown_a_page_at_a_time(database: str) -> None:
    settings = settings_for(database)
    with connect(database, "test") as connection:
        secret = create_token(connection, ["ops"], 'Ann <b> "x"')
        connection.execute(
            "INSERT INTO audit (token_no, label, action, subject, detail) "
            """SELECT 7, 'Bob', 'void', 'R-' || n, '{"event": 3}' FROM generate_series(1, 120) AS n"""
        )
    with desk(settings) as client:
        log_in(client, secret)
        pages, address = [], "/ops/audit"
        while address:
            pages.append(client.get(address))
            assert pages[-1].status_code == 200
            _, _, rest = pages[-1].text.partition('<a class="go" href="')
            address = rest.partition('"')[0]
        one = client.get("/ops/audit?subject=R-7")

    said = [texts(page) for page in pages]
    assert len(pages) == 3
    assert "Ann <b> &quot;x&quot;" not in pages[0].text
    assert "Ann &lt;b&gt;" in pages[0].text
    assert "Logged in" in said[0]
    assert all(sum(f" R-{n} " in page for page in said) == 1 for n in range(1, 121))
    assert texts(one).count("Voided an event") == 1


def test_an_attack_on_the_audit_log_finds_nothing(agent: Client) -> None:
    for attack in ATTACKS:
        answer = agent.get("/ops/audit", params={"subject": attack, "before": attack, "lang": attack, attack: attack})
        assert answer.status_code in {200, 404}
        assert_escaped(answer)


def test_a_database_that_is_away_is_an_apology(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise Retryable("PostgreSQL 57P01")

    with desk(settings_for(database), "ops") as client:
        monkeypatch.setattr("service.adapters.postgres.access.sessions.PostgresSessions.find", away)
        with logged() as lines:
            answer = client.get("/ops?q=somebody")

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert "57P01" not in answer.text
    assert "57P01" in lines.getvalue()
    assert "somebody" not in lines.getvalue()


def test_the_desk_works_with_the_role_of_the_web_process_which_cannot_rewrite_the_log(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("SET ROLE returns_web")
        for statement in ("UPDATE audit SET label = ''", "DELETE FROM audit", "UPDATE ops_sessions SET token_no = 1"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                connection.execute(statement.encode())


def test_the_application_without_a_desk_has_none(database: str) -> None:
    with serving.web(settings_for(database), Metrics(), Stop()) as app, served(app) as client:
        paths = client.get("/openapi.json").json()["paths"]

    assert not [path for path in paths if path.startswith("/ops")]
