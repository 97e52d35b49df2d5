import datetime as dt
import stat

import pytest

from real_runner.errors import RealRunError
from real_runner.wire.authority import Authority
from real_runner.wire.credentials import Credentials


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_credentials_come_back_from_files_that_only_their_user_reads(tmp_path, authority):
    folder = tmp_path / "keys" / "a"
    credentials = authority.issue("a")
    credentials.save(folder)
    credentials.save(folder)  # a second time replaces the first
    assert Credentials.load(folder) == credentials
    assert credentials.node == "a"
    assert mode(folder) == 0o700
    assert {path.name: mode(path) for path in folder.iterdir()} == {
        "ca.pem": 0o600,
        "cert.pem": 0o600,
        "key.pem": 0o600,
    }


def test_an_authority_comes_back_and_issues_what_its_nodes_trust(tmp_path, authority):
    authority.save(tmp_path)
    assert mode(tmp_path / "ca-key.pem") == 0o600
    again = Authority.load(tmp_path)
    again.issue("c").save(tmp_path / "c")
    assert Credentials.load(tmp_path / "c").ca_pem == authority.ca_pem


def test_no_key_is_shown_when_credentials_are_printed(authority):
    assert "PRIVATE" not in repr(authority.issue("a")) + repr(authority)


@pytest.mark.parametrize("name", ["", "a b", "*", "-a", "ü", "x" * 64, "a/b"])
def test_a_name_that_no_certificate_can_bear_is_refused(authority, name):
    with pytest.raises(RealRunError, match="rename it"):
        authority.issue(name)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(RealRunError, match=r"none/ca.pem: No such file.*made for this node"):
        Credentials.load(tmp_path / "none")


def test_a_key_that_others_may_read_is_refused(tmp_path, authority):
    authority.issue("a").save(tmp_path)
    (tmp_path / "key.pem").chmod(0o644)
    with pytest.raises(RealRunError, match=r"others may read this key \(mode 644\); chmod 600"):
        Credentials.load(tmp_path)


def test_a_key_of_another_certificate_is_refused(tmp_path, authority):
    authority.issue("a").save(tmp_path)
    (tmp_path / "key.pem").write_bytes(authority.issue("a").key_pem)
    with pytest.raises(RealRunError, match=r"key\.pem is not the key of cert\.pem"):
        Credentials.load(tmp_path)


def test_a_certificate_of_another_run_is_refused(tmp_path, authority):
    authority.issue("a").save(tmp_path)
    (tmp_path / "ca.pem").write_bytes(Authority.create().ca_pem)
    with pytest.raises(RealRunError, match=r"is not from the authority in ca\.pem"):
        Credentials.load(tmp_path)


def test_an_expired_certificate_is_refused(tmp_path, authority):
    authority.issue("a", dt.timedelta(seconds=-1)).save(tmp_path)
    with pytest.raises(RealRunError, match=r"expired at .* UTC; issue them again"):
        Credentials.load(tmp_path)


def test_an_expired_authority_is_refused(tmp_path):
    Authority.create(dt.timedelta(seconds=-1)).save(tmp_path)
    with pytest.raises(RealRunError, match="the authority has expired"):
        Authority.load(tmp_path)


def test_a_certificate_does_not_outlive_its_authority(tmp_path):
    brief = Authority.create(dt.timedelta(seconds=-1))
    brief.issue("a").save(tmp_path)
    with pytest.raises(RealRunError, match="expired"):
        Credentials.load(tmp_path)


def test_what_is_no_certificate_is_refused(tmp_path, authority):
    authority.issue("a").save(tmp_path)
    (tmp_path / "cert.pem").write_text("nonsense")
    with pytest.raises(RealRunError, match="issue them again"):
        Credentials.load(tmp_path)
    authority.save(tmp_path)
    (tmp_path / "ca-key.pem").write_text("nonsense")
    with pytest.raises(RealRunError, match="create the authority again"):
        Authority.load(tmp_path)


def test_a_folder_that_cannot_be_had_is_named(tmp_path, authority):
    (tmp_path / "file").write_text("")
    with pytest.raises(RealRunError, match="file: File exists; name a folder of your own"):
        authority.issue("a").save(tmp_path / "file")
