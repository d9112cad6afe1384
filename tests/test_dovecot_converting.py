"""`fix --to dovecot-2.4`: a configuration of 2.3 becomes one of 2.4 that means the same, comments and all."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.agreement import CORPORA
from bench.agreement.dovecot import FOLDER, MAIN, model_of
from bench.agreement.dovecot_conversion import EXPLAINED, conversion_of, host_files, trees, wrong
from mailaudit.cli import run
from mailaudit.converting.conversion import VERSIONS, Conversion
from mailaudit.converting.locations import Unsaid, split
from mailaudit.converting.variables import LETTERS, UnknownVariable, in_new_words
from mailaudit.models.dovecot.settings import NEW, OLD
from mailaudit.models.dovecot.user import mail_user

EXAMPLES = Path(__file__).parents[1] / "examples"
HOST = (Path(__file__).parent / "fixtures" / "configs" / "dovecot" / OLD / "host.conf").read_bytes()
HEAD = "".join(f"{line}\n" for line in VERSIONS)
SAYS = "protocols = imap\nmail_location = maildir:~/Maildir\n"  # so that nothing is left to a default
SAID = "protocols = imap\nmail_driver = maildir\nmail_path = ~/Maildir\n"
needs_corpora = pytest.mark.skipif(not CORPORA.is_dir(), reason="the corpora of real files are not beside this checkout")


def converted(text: str, files: Mapping[str, str] | None = None) -> Conversion:
    others = {path: chars.encode() for path, chars in (files or {}).items()}
    return conversion_of({MAIN: (SAYS + text).encode(), **others})


def body(text: str, files: Mapping[str, str] | None = None) -> str:
    made = converted(text, files)
    assert made.left == ()
    chars = made.files[MAIN]
    assert chars.startswith(HEAD + SAID)
    return chars.removeprefix(HEAD + SAID)


# Words


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/var/vmail/%d/%n", "/var/vmail/%{user | domain}/%{user | username}"),
        ("%Lu", "%{user | lower}"),
        ("%{domain}/%Ln", "%{user | domain}/%{user | username | lower}"),
        ("%2Mu/%4.2Mu", "%{user | md5 | hexlify | substr(0, 2)}/%{user | md5 | hexlify | substr(4, 2)}"),
        ("%1n/%Ud/%Rn", "%{user | username | substr(0, 1)}/%{user | domain | upper}/%{user | username | reverse}"),
        ("%2.256Nu/%16Nd", "%{user | md5 | substr(0, 8) % 256 | hex(2)}/%{user | domain | md5 | substr(0, 8) % 16 | hex}"),
        ("%%u 100%%", "%u 100%"),
        ("%{rip} %{lport} %{orig_user}", "%{remote_ip} %{local_port} %{original_user}"),
        ("no variable", "no variable"),
    ],
)
def test_variables(old: str, new: str) -> None:
    assert in_new_words(old) == new


def test_letters_of_their_own() -> None:
    assert in_new_words("%$: %s", LETTERS["login_log_format"]) == "%{message}: %{elements}"
    assert in_new_words("%08Xu%08Xv", LETTERS["pop3_uidl_format"]) == "%{uid | hex(8)}%{uidvalidity | hex(8)}"
    assert in_new_words("%s(%u)<%{pid}>: ", LETTERS["mail_log_prefix"]) == "%{service}(%{user})<%{process:pid}>: "


@pytest.mark.parametrize("template", ["%Z", "%{if;%u;eq;x;a;b}", "%", "%Hu", "%%{user}", "%{nonsense}"])
def test_variables_that_have_no_word_are_refused(template: str) -> None:
    with pytest.raises(UnknownVariable):
        in_new_words(template)


@given(st.text("%{}uUnLd2.0M;x", max_size=20))
def test_variables_are_said_or_refused(template: str) -> None:
    try:
        in_new_words(template)
    except UnknownVariable as error:
        assert str(error)  # noqa: PT017  either is right, and the refusal says what was met


def test_locations() -> None:
    assert split("maildir:~/Maildir:INBOX=~/M/I:LAYOUT=fs:INDEX=MEMORY:UTF-8") == [
        ("mail_driver", "maildir"),
        ("mail_path", "~/Maildir"),
        ("mail_inbox_path", "~/M/I"),
        ("mailbox_list_layout", "fs"),
        ("mail_index_path", "MEMORY"),
        ("mailbox_list_utf8", "yes"),
    ]
    for unsaid in ("", "/var/mail/%u", "maildir:~/M:NONSENSE=1"):
        with pytest.raises(Unsaid):
            split(unsaid)


# Statements


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ssl_cert = </a.pem # ours\n", "ssl_server_cert_file = /a.pem # ours\n"),
        (
            "ssl_cert = < /a\nssl_key = $ssl_cert\n",
            "ssl_server_cert_file = /a\nssl_server_key_file = /a\n",
        ),
        ("ssl_prefer_server_ciphers = yes\n", "ssl_server_prefer_ciphers = server\n"),
        ("disable_plaintext_auth = no\n", "auth_allow_cleartext = yes\n"),
        ("ssl_protocols = !SSLv3 !TLSv1\n", "ssl_min_protocol = TLSv1.1\n"),
        ("ssl_dh_parameters_length = 2048\n", "#ssl_dh_parameters_length = 2048\n"),
        ("verbose_ssl=yes\n", "log_debug=category=ssl\n"),
        ("auth_default_realm = x\n", "auth_default_domain = x\n"),
        ("mail_home = /h/%d/%n # %d stays\n", "mail_home = /h/%{user | domain}/%{user | username} # %d stays\n"),
        ('log_timestamp = "%Y-%m "\n', None),
        ("auth_mechanisms = plain login\n", None),
        ("auth_mechanisms = $auth_mechanisms login\n", "auth_mechanisms {\n  login = yes\n}\n"),
        ("mail_plugins = $mail_plugins\n", ""),
        ("protocols = none\n", "protocols =\n"),
        ("mail_plugins = quota zlib imap_zlib\n", "mail_plugins = quota mail_compress\n"),
        ("imap_capability = +A -B\n", "imap_capability {\n  A = yes\n  B = no\n}\n"),
        (
            "protocol imap {\n\tmail_plugins = $mail_plugins imap_sieve\n}\n",
            "protocol imap {\n\tmail_plugins {\n\t\timap_sieve = yes\n\t}\n}\n",
        ),
        ("mail_attribute_dict = file:%h/x\n", "mail_attribute {\n  dict file {\n    path = %{home}/x\n  }\n}\n"),
        ("auth_worker_max_count = 5\n", "service auth-worker {\n  process_limit = 5\n}\n"),
        ("service imap {\n  service_count = 0\n}\n", "service imap {\n  restart_request_count = unlimited\n}\n"),
        (
            "service imap-login {\n  inet_listener {\n    address = ::1\n    port = 9\n  }\n}\n",
            "service imap-login {\n  inet_listener port9 {\n    listen = ::1\n    port = 9\n  }\n}\n",
        ),
        ("service x {\n  user = $default_login_user\n}\n", "service x {\n  user = $SET:default_login_user\n}\n"),
        ("service director {\n  # mode\n}\n", "#service director {\n  # mode\n#}\n"),
        ("dict {\n  # quota = x\n}\n", "# quota = x\n"),
        ("namespace {\n  inbox = yes\n  location =\n}\n", "namespace inbox {\n  inbox = yes\n}\n"),
        (
            "namespace {\n  type = shared\n  prefix = shared/%%u/\n  location = maildir:%%h/M:INDEXPVT=~/s/%%u\n}\n",
            (
                "namespace shared {\n  type = shared\n  prefix = shared/$user/\n  mail_driver = maildir\n"
                "  mail_path = %{owner_home}/M\n  mail_index_private_path = ~/s/%{owner_user}\n}\n"
            ),
        ),
    ],
)
def test_settings(old: str, new: str | None) -> None:
    assert body(old) == (old if new is None else new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            "passdb {\n  driver = passwd-file\n  args = scheme=CRYPT username_format=%n /u/%d # why\n}\n",
            (
                "passdb passwd-file {\n  driver = passwd-file\n  passwd_file_path = /u/%{user | domain}\n"
                "  default_password_scheme = CRYPT\n  auth_username_format = %{user | username} # why\n}\n"
            ),
        ),
        (
            "userdb {\n  driver = static\n  args = uid=v gid=v home=/h/%u mail=maildir:/m/%n allow_all_users=yes\n}\n",
            (
                "userdb static {\n  driver = static\n  fields {\n    uid = v\n    gid = v\n    home = /h/%{user}\n"
                "    mail_driver = maildir\n    mail_path = /m/%{user | username}\n  }\n  static_allow_all_users = yes\n}\n"
            ),
        ),
        (
            "userdb {\n  driver = passwd\n  args = blocking=no\n  override_fields = home=/h quota_rule=*:storage=2G\n}\n",
            (
                "userdb passwd {\n  driver = passwd\n  use_worker = no\n"
                "  fields {\n    home = /h\n    quota_storage_size = 2G\n  }\n}\n"
            ),
        ),
        (
            "passdb {\n  driver = pam\n  args = session=yes *\n}\npassdb {\n  driver = pam\n  pass = yes\n}\n",
            (
                "passdb pam {\n  driver = pam\n  pam_session = yes\n  pam_service_name = %{protocol}\n}\n"
                "passdb pam2 {\n  driver = pam\n  result_success = continue\n}\n"
            ),
        ),
        (
            "passdb {\n  name = first\n  driver = static\n  default_fields = nopassword=y\n  mechanisms = plain\n}\n",
            "passdb first {\n  driver = static\n  fields {\n    nopassword:default = y\n  }\n  mechanisms_filter = plain\n}\n",
        ),
    ],
)
def test_databases_of_users(old: str, new: str) -> None:
    assert body(old) == new


def test_hashes_are_not_taken_for_passwords() -> None:
    made = converted("passdb {\n  driver = passwd-file\n  args = /u\n}\n")
    assert "passwd_file_path = /u\n  default_password_scheme = CRYPT\n" in made.files[MAIN]
    model = model_of({MAIN: made.files[MAIN].encode()}, NEW)
    assert [each.scheme for each in model.passdbs] == ["CRYPT"]
    told_nothing = made.files[MAIN].replace("  default_password_scheme = CRYPT\n", "")
    assert [each.scheme for each in model_of({MAIN: told_nothing.encode()}, NEW).passdbs] == ["PLAIN"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("sieve = ~/.dovecot.sieve", "sieve_script personal {\n  path = ~/sieve\n  active_path = ~/.dovecot.sieve\n}"),
        (
            "sieve_default = /d.sieve\n  sieve_default_name = web",
            "sieve_script default {\n  type = default\n  name = web\n  path = /d.sieve\n}",
        ),
        ("sieve_before2 = /b/", "sieve_script before2 {\n  type = before\n  path = /b/\n}"),
        ("sieve_extensions = +a -b", "sieve_extensions {\n  a = yes\n  b = no\n}"),
        (
            "# one\n  imapsieve_mailbox1_name = A\n  # two\n  imapsieve_mailbox1_from = B\n  imapsieve_mailbox1_after = file:/s",
            (
                "# one\n# two\nmailbox A {\n  imapsieve_from B {\n    sieve_script imapsieve1 {\n      type = after\n"
                "      cause = append copy flag\n      path = /s\n    }\n  }\n}"
            ),
        ),
        ("sieve_extensions = +vacation-seconds +imapflags", "sieve_extensions {\n  vacation-seconds = yes\n}"),
        ("sieve_quota_max_storage = 4M", "sieve_quota_storage_size = 4M"),
        ("quota = count:User quota\n  quota_vsizes = yes", 'quota "User quota" {\n  driver = count\n}\n#quota_vsizes = yes'),
        ("quota_rule = *:storage=10:messages=5", "quota_storage_size = 10K\nquota_message_count = 5"),
        (
            "quota_rule2 = Trash:storage=+5M",
            "namespace inbox {\n  inbox = yes\n  mailbox Trash {\n    quota_storage_extra = 5M\n  }\n}",
        ),
        (
            "quota_warning = -storage=90%% warn below %u",
            (
                "quota_warning warning {\n  quota_storage_percentage = 90\n  threshold = under\n  execute warn {\n"
                "    args = below %{user}\n  }\n}"
            ),
        ),
        ("zlib_save = zstd\n  zlib_save_level = 3", "mail_compress_write_method = zstd\ncompress_zstd_level = 3"),
        (
            "acl = vfile:/g:cache_secs=9\n  acl_shared_dict = file:/d",
            (
                "acl_driver = vfile\nacl_global_path = /g\nacl_cache_ttl = 9 secs\n"
                "acl_sharing_map {\n  dict file {\n    path = /d\n  }\n}"
            ),
        ),
        ("fts = solr\n  fts_solr = url=http://s/", "fts solr {\n  url = http://s/\n}"),
        (
            "push_notification_driver = ox:url=http://p/ user_from_metadata",
            "push_notification ox {\n  driver = ox\n  ox_url = http://p/\n  ox_user_from_metadata = yes\n}",
        ),
        ("mail_log_fields = uid box", "mail_log_fields = uid box"),
        (
            "mail_crypt_global_private_key = </k\n  mail_crypt_global_public_key = </p\n  mail_crypt_save_version = 2",
            (
                "crypt_global_private_key main {\n  crypt_private_key_file = /k\n}\ncrypt_global_public_key_file = /p\n"
                "#mail_crypt_save_version = 2"
            ),
        ),
        (
            "last_login_dict = proxy::l\n  last_login_key = l/%u",
            "last_login {\n  dict proxy {\n    name = l\n  }\n}\nlast_login_key = l/%{user}",
        ),
    ],
)
def test_plugins(old: str, new: str) -> None:
    assert body(f"plugin {{\n  {old}\n}}\n") == f"{new}\n"


def test_a_plugins_setting_that_is_said_again_counts_where_it_is_said_last() -> None:
    made = body("plugin {\n  sieve_before = /a\n}\nplugin {\n  sieve_before = /b\n}\n")
    assert made == "#sieve_before = /a\nsieve_script before {\n  type = before\n  path = /b\n}\n"


def test_defaults_that_are_gone_are_said() -> None:
    made = conversion_of({MAIN: b"mail_location = maildir:~/M\nprotocol lmtp {\n  mail_plugins = sieve\n}\n"})
    assert made.files[MAIN].endswith(
        "}\nprotocols = imap pop3 lmtp\nsieve_script personal {\n  path = ~/sieve\n  active_path = ~/.dovecot.sieve\n}\n"
    )
    made = conversion_of({MAIN: b"mail_location = maildir:~/M\nprotocols = $protocols submission\n"})
    assert made.files[MAIN].endswith("protocols = imap pop3 lmtp submission\n")
    debian = b"!include_try /usr/share/dovecot/protocols.d/*.protocol\nmail_location = maildir:~/M\n"
    assert "protocols = imap" not in conversion_of({MAIN: debian}).files[MAIN]


def test_a_host_without_a_main_file_has_the_packages() -> None:
    made = conversion_of(
        {f"{FOLDER}/conf.d/10-mail.conf": b"mail_location = maildir:~/M", f"{FOLDER}/conf.d/x.conf": b"ssl = no\n"}
    )
    assert made.files == {
        f"{FOLDER}/conf.d/10-mail.conf": "mail_driver = maildir\nmail_path = ~/M",
        f"{FOLDER}/conf.d/x.conf": "ssl = no\nprotocols = imap pop3 lmtp\n",
    }
    model = model_of({path: chars.encode() for path, chars in made.files.items()}, NEW)
    assert model.protocols == {"imap", "pop3", "lmtp"}


def test_fields_by_default_are_known_of_2_4() -> None:
    text = "userdb {\n  driver = passwd-file\n  args = /u\n  default_fields = uid=77 gid=78 home=/h/%n\n}\n"
    made = converted(text, {"/u": "a@x:{PLAIN}p:::::\n"})
    model = model_of({**{path: chars.encode() for path, chars in made.files.items()}, "/u": b"a@x:{PLAIN}p:::::\n"}, NEW)
    assert model.mail_ids("uid").numbers == {77}
    user = mail_user(model, "a@x", "lmtp")
    assert (user.home.value, user.uid.value, user.mail.value) == ("/h/a", "77", "/h/a/Maildir")


# Other files


def test_a_file_of_sql_becomes_one_of_settings_and_is_included() -> None:
    query = "SELECT 'maildir:/m/%d/%n' AS mail, concat('*:bytes=', q) AS quota_rule FROM users WHERE u = '%u'"
    sql = f"# where\ndriver = mysql\nconnect = host=db dbname=mail user=u password=topsecret\nuser_query = {query}\n"
    made = converted("userdb {\n  driver = sql\n  args = /etc/dovecot/sql.ext\n}\n", {"/etc/dovecot/sql.ext": sql})
    assert made.left == ()
    assert "userdb sql {\n  driver = sql\n  !include /etc/dovecot/sql.ext\n}\n" in made.files[MAIN]
    assert made.files["/etc/dovecot/sql.ext"] == (
        "# where\nsql_driver = mysql\nmysql db {\n  dbname = mail\n  user = u\n  password = topsecret\n}\n"
        "userdb_sql_query = SELECT 'maildir' AS mail_driver, '/m/%{user | domain}/%{user | username}' AS mail_path,"
        " q AS quota_storage_size FROM users WHERE u = '%{user}'\n"
        "userdb_sql_iterate_query = SELECT username, domain FROM users\n"
    )
    assert ("dovecot-password", "topsecret") in made.secrets


def test_a_query_that_gives_what_2_4_does_not_take_is_named() -> None:
    sql = "driver = sqlite\nconnect = /db\npassword_query = SELECT u AS user, location AS userdb_mail FROM t\n"
    made = converted("passdb {\n  driver = sql\n  args = /etc/dovecot/sql.ext\n}\n", {"/etc/dovecot/sql.ext": sql})
    (left,) = made.left
    assert left.where == "/etc/dovecot/sql.ext:3:1"
    assert "userdb_mail" in left.why


def test_a_file_of_ldap_becomes_one_of_settings() -> None:
    ldap = (
        "hosts = a b\ndn = cn=x\ndnpass = topsecret\ntls = yes\nauth_bind = yes\nbase = dc=x\nscope = onelevel\n"
        "pass_attrs = uid=user,userPassword=password\n"
        "user_attrs = =home=/h/%{ldap:uid},uidNumber=uid,=quota_rule=*:bytes=%{ldap:q}\n"
        "pass_filter = (uid=%n)\n"
    )
    made = converted("passdb {\n  driver = ldap\n  args = /etc/dovecot/l\n}\n", {"/etc/dovecot/l": ldap})
    assert made.left == ()
    assert made.files["/etc/dovecot/l"] == (
        "ldap_uris = ldap://a ldap://b\nldap_auth_dn = cn=x\nldap_auth_dn_password = topsecret\nldap_starttls = yes\n"
        "passdb_ldap_bind = yes\nldap_base = dc=x\nldap_scope = onelevel\n"
        "passdb_fields {\n  user = %{ldap:uid}\n  password = %{ldap:userPassword}\n}\n"
        "userdb_fields {\n  home = /h/%{ldap:uid}\n  uid = %{ldap:uidNumber}\n  quota_storage_size = %{ldap:q}\n}\n"
        "passdb_ldap_filter = (uid=%{user | username})\npassdb_default_password_scheme = CRYPT\n"
    )


def test_fields_of_users_are_said_in_the_words_of_2_4() -> None:
    users = (
        "# users\n"
        "a@x:{PLAIN}p:1:1::/h/%d::userdb_mail=maildir:/m/%n userdb_quota_rule=*:bytes=5\n"
        "b@x:{PLAIN}p:1:1::/h::userdb_mail=mdbox:~/m allow_nets=10.0.0.0/8\n"
        "c@x:{PLAIN}p:1:1::/h::\n"
    )
    made = converted("passdb {\n  driver = passwd-file\n  args = /etc/mail/credentials\n}\n", {"/etc/mail/credentials": users})
    assert made.files["/etc/mail/credentials"] == (
        "# users\n"
        "a@x:{PLAIN}p:1:1::/h/%d::userdb_mail_path=/m/%{user|username} userdb_quota_storage_size=5\n"
        "b@x:{PLAIN}p:1:1::/h::userdb_mail_driver=mdbox userdb_mail_path=~/m allow_nets=10.0.0.0/8\n"
        "c@x:{PLAIN}p:1:1::/h::\n"
    )


@pytest.mark.parametrize(
    ("args", "password", "weak"),
    [
        ("/u", "{MD5-CRYPT}$1$a$b", True),
        ("/u", "{md5.b64}xxxx", True),
        ("/u", "$1$abcdefgh$irWbblnpmw.5z7wgBnprh0", True),
        ("/u", "{CRYPT}$1$abcdefgh$irWbblnpmw.5z7wgBnprh0", True),
        ("scheme=PLAIN-MD5 /u", "5f4dcc3b5aa765d61d8327deb882cf99", True),
        ("scheme=PLAIN /u", "$1$abcdefgh$irWbblnpmw.5z7wgBnprh0", False),
        ("/u", "$6$abc$def", False),
        ("/u", "{SHA512-CRYPT}$6$abc$def", False),
        ("/u", "{PLAIN}x", False),
    ],
)
def test_passwords_that_2_4_refuses_are_allowed(args: str, password: str, *, weak: bool) -> None:
    made = converted(f"passdb {{\n  driver = passwd-file\n  args = {args}\n}}\n", {"/u": f"a@x:{password}:1:1::/h::\n"})
    assert made.files[MAIN].endswith("\nauth_allow_weak_schemes = yes\n") is weak
    assert bool(made.notes) is weak
    assert password not in str(made.notes)


# What cannot be said


@pytest.mark.parametrize(
    ("old", "where", "why"),
    [
        ("passdb {\n  driver = checkpassword\n}\n", (4, 3), "the driver checkpassword was removed"),
        ("passdb {\n  driver = sql\n  args = /etc/dovecot/not-there\n}\n", (5, 3), "not at hand"),
        ("mail_plugins = replication\n", (3, 1), "no plugin replication"),
        ("plugin {\n  quota_grace = 10%%\n}\n", (4, 3), "grace in percent"),
        ("plugin {\n  nonsense = 1\n}\n", (4, 3), "no plugin of 2.4 has a setting nonsense"),
        ("mail_home = /h/%{if;%u;eq;x;a;b}\n", (3, 1), "no variable"),
        ("nonsense = 1\n", (3, 1), "nonsense"),
    ],
)
def test_what_cannot_be_converted_is_named_with_its_place(old: str, where: tuple[int, int], why: str) -> None:
    left = converted(old).left
    assert [each.where for each in left] == ["{}:{}:{}".format(MAIN, *where)] * len(left)
    assert why in str(left[0])
    assert left[0].todo


def test_what_2_4_refuses_once_it_is_converted_is_named() -> None:
    (left,) = converted('mail_plugins = imap_sieve"\n').left
    assert left.where == f"{MAIN}:6:16"  # of the converted file
    assert "once converted" in left.why


def test_a_file_that_would_have_to_be_written_in_two_ways_is_named() -> None:
    part = {f"{FOLDER}/part": "driver = static\n"}
    (left,) = converted("passdb {\n  !include part\n}\nuserdb {\n  !include part\n}\n", part).left
    assert left.where == f"{MAIN}:7:3"
    assert "sections of several kinds" in left.why


@pytest.mark.parametrize("opened", ["passdb {\n  driver = pam\n", "service auth {\n  unix_listener x {\n  }\n"])
def test_behind_what_is_never_closed_nothing_is_converted(opened: str) -> None:
    made = conversion_of({MAIN: (SAYS + opened + "ssl_cert = </etc/ssl/x.pem\nuserdb {\n  driver = passwd\n}\n").encode()})
    assert made.files == {}
    assert [(left.span.path, left.todo) for left in made.left] == [(MAIN, "mend it first")]


def test_mail_that_2_3_looks_for_is_named() -> None:
    (left,) = conversion_of({MAIN: b"protocols = imap\n"}).left
    assert "where the mail lies" in left.why


def test_what_is_of_2_4_already_is_left_alone() -> None:
    new = (HEAD + SAID).encode()
    made = conversion_of({MAIN: new}, "2.4.1")
    assert made.is_new
    assert made.files == {}
    assert conversion_of({}).missing


def test_the_packages_own_files_are_not_edited() -> None:
    own = "/usr/share/dovecot/protocols.d/imapd.protocol"
    made = converted(f"!include {own}\n", {own: "protocols = $protocols imap\n"})
    assert own not in made.files


# Whole configurations


def test_the_corrected_example_says_the_same() -> None:
    files = host_files(EXAMPLES / "corrected")
    made = conversion_of(files)
    assert made.left == ()
    assert set(made.files) == {MAIN, f"{FOLDER}/local.conf"}
    assert wrong(files, made) == []


def test_the_published_example_says_the_same() -> None:
    files = host_files(EXAMPLES / "as-published")
    made = conversion_of(files)
    assert made.left == ()
    assert "/etc/mail/credentials" in made.files
    assert wrong(files, made) == []


@needs_corpora
def test_real_trees_say_the_same() -> None:
    whole_trees = 0
    for name, files in trees(CORPORA):
        if name.startswith("dovecot+docker__old") and not name.endswith("21.1"):  # of these there is one for each release
            continue
        made = conversion_of(files)
        if not made.left and name not in EXPLAINED:
            whole_trees += 1
            assert wrong(files, made) == []
    assert whole_trees > 12


@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_any_text_is_converted_or_named(data: st.DataObject) -> None:
    lines = HOST.decode().split("\n")
    at = data.draw(st.integers(0, len(lines) - 1))
    word = st.text("abz_1 =/{}#\"'\\$%-.,\t", max_size=12)
    lines[at : at + data.draw(st.integers(0, 2))] = data.draw(st.lists(word, max_size=3))
    made = conversion_of({MAIN: "\n".join(lines).encode()})
    for each in made.left:
        assert each.why
    if made.files and not made.left:
        assert conversion_of({MAIN: made.files[MAIN].encode()}).is_new


# The command


@dataclass(frozen=True)
class Done:
    """A finished run."""

    code: int
    out: str


@pytest.fixture
def mailaudit(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    def called(*arguments: str) -> Done:
        code = run(["fix", *arguments, "--to", "dovecot-2.4", "--select", "DOVECOT0"])
        shown = capsys.readouterr()
        return Done(code, shown.out + shown.err)

    return called


Command = Callable[..., Done]


@pytest.fixture
def corrected(tmp_path: Path) -> Path:
    shutil.copytree(EXAMPLES / "corrected", tmp_path / "host")
    return tmp_path / "host"


def test_the_command_converts_once(mailaudit: Command, corrected: Path) -> None:
    local = corrected / "etc" / "dovecot" / "local.conf"
    before = local.read_text()
    shown = mailaudit(str(corrected))
    assert shown.code == 1, shown.out
    assert "+ssl_server_cert_file = /etc/ssl/mail.example.com.pem" in shown.out
    assert local.read_text() == before
    done = mailaudit(str(corrected), "--write")
    assert (done.code, "is one of 2.4 now" in done.out) == (0, True), done.out
    assert "findings that were not there before" not in done.out
    again = mailaudit(str(corrected), "--write")
    assert (again.code, "is one of 2.4 already" in again.out) == (0, True), again.out


def test_the_command_writes_nothing_while_something_is_left(mailaudit: Command, corrected: Path, tmp_path: Path) -> None:
    local = corrected / "etc" / "dovecot" / "local.conf"
    local.write_text(local.read_text() + "plugin {\n  nonsense = 1\n}\n")
    before = local.read_text()
    shown = json.loads(mailaudit(str(corrected), "--format", "json").out)
    assert "no plugin of 2.4" in shown["errors"][0]
    assert "+ssl_server_cert_file" in shown["hosts"][0]["plan"]["diff"]
    done = mailaudit(str(corrected), "--write", "--check")
    assert done.code == 5, done.out
    assert re.search(r"local\.conf:\d+:3: no plugin of 2\.4", done.out)
    assert local.read_text() == before
    done = mailaudit(str(corrected), "--out", str(tmp_path / "out"), "--force-partial")
    assert done.code == 1, done.out
    assert (tmp_path / "out" / "etc" / "dovecot" / "local.conf").read_text().endswith("nonsense = 1\n")
    assert local.read_text() == before


def test_the_command_masks_secrets(mailaudit: Command, tmp_path: Path) -> None:
    folder = tmp_path / "etc" / "dovecot"
    folder.mkdir(parents=True)
    (folder / "dovecot.conf").write_text(SAYS + "passdb {\n  driver = sql\n  args = /etc/dovecot/sql.ext\n}\n")
    (folder / "sql.ext").write_text("driver = pgsql\nconnect = dbname=d password=hunter22\n")
    for form in ("terminal", "json"):
        shown = mailaudit(str(tmp_path), "--format", form)
        assert shown.code == 1, shown.out
        assert "hunter22" not in shown.out


def test_a_folder_without_dovecot_has_nothing_to_convert(mailaudit: Command, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "pf.conf").write_text("block\n")
    done = mailaudit(str(tmp_path))
    assert done.code == 3, done.out
