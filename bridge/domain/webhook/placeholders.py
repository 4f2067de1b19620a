"""Words that stand where a name or a number is missing, in the languages that phones and CRMs speak.

A phrase means nobody when each of its words is listed and one of them says that something is missing
("Unknown caller", "Número oculto"); a lone word for a role ("Caller") does as well. A name that merely
contains such a word ("Private Bank") is a name.
"""

from __future__ import annotations

import re
import unicodedata

_MISSING = """
    unknown unidentified anonymous anon withheld private restricted unavailable blocked hidden secret
    undisclosed unlisted unnamed nameless noname suppressed unassigned null undefined none nil nan
    empty blank tbd unbekannt unbekannte unbekannter anonym anonyme anonymer unterdruckt unterdruckte
    privat privater verborgen namenlos gesperrt geheim inconnu inconnue prive privee masque masquee
    cache confidentiel restreint indisponible desconocido desconocida anonimo anonima privado privada
    oculto oculta restringido restringida desconhecido desconhecida restrito confidencial indisponivel
    sconosciuto sconosciuta privato privata nascosto riservato onbekend onbekende anoniem anonieme
    afgeschermd nieznany nieznana nieznane nezname anonimowy anonim prywatny prywatna zastrzezony
    ukryty neznamy neznama neznamo neznan neznano neznane anonymni anonymny soukrome soukromy sukromne
    skryte skryty utajene utajeny неизвестный неизвестная неизвестно неизвестен неизвестна неизвестныи
    аноним анонимный анонимно скрытый скрыт частный невідомий невідомо прихований анонімний анонім
    okand okant skyddat hemligt dolt ukendt ukjent hemmeligt hemmelig skjult tuntematon salainen
    yksityinen ismeretlen nevtelen rejtett necunoscut necunoscuta ascuns bilinmeyen bilinmiyor gizli
    isimsiz nepoznat nepoznati skriven skriveni tundmatu nezinams nezinomas αγνωστος αγνωστη ανωνυμος
    αποκρυψη απορρητο
    不明 非通知 匿名 未知 未知号码 未知號碼 未知来电 未知來電 私人号码 隐藏号码 隱藏號碼 無名 无名
    公衆電話 通知不可能 表示圏外 名無し
    非通知設定 番号非通知 来电号码未知 無來電顯示 未顯示號碼 непознат непозната непознати скрит скриен
    neznana salattu nezinami opekkt desconegut desconeguda ezezaguna descoñecido anaithnid
    ไม่ทราบ ไม่แสดงหมายเลข
    익명
    발신자표시제한 발신번호표시제한 알수없음 미상 מוסתר חסוי אנונימי מגהול مجهول محجوب خاص अज्ञात
"""
_ROLES = """
    caller callers contact customer client user guest visitor lead anrufer anruferin kontakt kunde
    kundin appelant appelante correspondant contacto cliente llamante chiamante contatto beller klant
    dzwoniacy klient volajici zakaznik абонент звонящий клиент контакт soittaja arayan musteri חיוג
    מתקשר מספר متصل رقم volajuci hivo chamador chamadora ligante appellant trucador नंबर ผู้โทร
"""
_FILLERS = """
    a the id name number no not is of by call calling phone telephone user party available provided
    given set wireless nummer rufnummer telefonnummer nome nom nombre numero nimi nazwa jmeno meno имя
    номер namn navn nimetatud szam numara numar numarasi cislo broj appel appelant llamada chamada
    chiamata anruf oproep puhelinnumero numer dev keine kein ohne sans sin sem senza geen zonder brak
    bez без nincs stevilka numeris numurs број identidad identite
"""
_PHRASES = """
    no name|name unknown|no caller id|no number|number not available|out of area|wireless caller
    not available|not provided|not set|n a|n d|s n|no data|nomen nescio|caller id|new contact
    new caller|new customer|kein name|keine nummer|ohne namen|keine rufnummer|sans nom|sin nombre
    sin identificar|numero sin identificar|sem nome|senza nome|geen naam|brak nazwy|bez nazwy
    bez jmena|без имени|нет имени|номер скрыт|без номера|khong xac dinh|khong ro|tidak dikenal
    nomor tidak dikenal|nomor pribadi|fara nume|isim yok|prive nummer|privenummer|privatnummer
    unbekannte rufnummer|לא ידוע|לא מזוהה|غير معروف|알 수 없음|발신번호 표시제한|발신자 표시제한
    ozel numara|so la|tidak diketahui|i panjohur|no disponible|발신자 정보 없음|알 수 없는 번호|رقم غير معروف
    cell phone|toll free call|new lead|first last|false
    first name|last name
    full name|contact name|first name last name|firstname lastname|name
"""


# Letters that have no accent to take off.
_LETTERS = str.maketrans({"ł": "l", "ı": "i", "đ": "d", "ð": "d", "ø": "o", "æ": "ae", "þ": "p"})


_BETWEEN_WORDS = re.compile(r"[\W_]+")


def _key(text: str) -> str:
    """One spelling: lower case, without accents, punctuation or doubled blanks."""
    plain = text.casefold()
    if not plain.isascii():
        plain = unicodedata.normalize("NFKD", plain)
        # All marks: the vowel signs of Devanagari and Thai are no letters to `re`, and would part words.
        plain = "".join(c for c in plain if not unicodedata.category(c).startswith("M")).translate(_LETTERS)
    return " ".join(_BETWEEN_WORDS.sub(" ", plain).split())


_MISSING_WORDS = frozenset(_key(word) for word in _MISSING.split())
_ROLE_WORDS = frozenset(_key(word) for word in _ROLES.split())
_OTHER_WORDS = frozenset(_key(word) for word in _FILLERS.split())
_WHOLE = frozenset(_key(phrase) for line in _PHRASES.strip().splitlines() for phrase in line.split("|"))
_LONGEST = 60


def means_nobody(text: str) -> bool:
    """Whether a name or number given as text says only that there is none."""
    if len(text) > _LONGEST or (text.isascii() and text.removeprefix("+").isdigit()):
        return False
    key = _key(text)
    if not key:
        return not any(unicodedata.category(c) == "So" for c in text)
    if key in _WHOLE or key in _ROLE_WORDS:
        return True
    words = set(key.split())
    return bool(words & _MISSING_WORDS) and words <= _MISSING_WORDS | _ROLE_WORDS | _OTHER_WORDS


# What programs print for a missing part of a name. People are called Null, Nil and Nan: those stay.
_PRINTED = frozenset({"null", "nil", "nan", "NaN", "none", "None", "n/a", "N/A"})
_IN_BRACKETS = re.compile(r"[(\[<{‹](.*)[)\]>}›]")
_SPREADSHEETS = re.compile(r"#[A-Z/0]{2,7}[!?]?")
# As the second of two words these say that it is not known; the other words for it are surnames as well.
_UNKNOWN = """
    unknown unbekannt inconnu inconnue desconocido desconocida desconhecido desconhecida sconosciuto
    sconosciuta onbekend nieznany nieznana neznámý neznámá неизвестно неизвестный неизвестная okänd
    ukendt ukjent tuntematon ismeretlen necunoscut bilinmeyen
"""
_NOT_KNOWN = frozenset(_key(word) for word in _UNKNOWN.split())
_TITLE_WORDS = "mr mrs ms miss dr herr frau monsieur madame mme senor senora sr sra pan pani"
_TITLES = frozenset(_TITLE_WORDS.split())


def _is_printed(part: str) -> bool:
    """Whether a program printed this for a part of a name that is missing."""
    if not any(c.isalnum() for c in part) and any(c in "?-–—._*/" for c in part):
        return not part.strip("?-–—._*/")
    if inner := _IN_BRACKETS.fullmatch(part):
        return (
            inner[1].casefold() in {*map(str.casefold, _PRINTED), "undefined"} or _key(inner[1]) in _NOT_KNOWN
        )
    return part in _PRINTED or part.casefold() == "undefined" or bool(_SPREADSHEETS.fullmatch(part))


def without_placeholders(name: str) -> str:
    """A name without the parts that programs print for a missing one; empty when nothing else is left."""
    parts = name.split()
    kept = [part for part in parts if not _is_printed(part)]
    # "Ada NULL", but "ADA NULL" is somebody called Null.
    if not all(part.isupper() for part in kept):
        kept = [part for part in kept if part != "NULL"]
    if len(kept) == 2:
        # "Ada Unknown"; longer names are those of companies and bands.
        kept = [part for part in kept if _key(part) not in _NOT_KNOWN] or kept
    only_a_title = len(kept) < len(parts) and all(_key(part) in _TITLES for part in kept)
    return "" if only_a_title else " ".join(kept)
