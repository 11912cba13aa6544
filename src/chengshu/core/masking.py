"""Words that go before the public: what tells who somebody is or where they live is taken out.

People write the words, so no rule finds everything: a name that nobody told the system passes unless a title or a label stands
beside it. The rules rather take out too much than too little.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

MASK = "***"
SHORTEST_NAME = 2  # characters; a shorter one would be found everywhere

# The commonest surnames, less those that are everyday words as well.
_SURNAME = (
    "(?:欧阳|上官|司马|诸葛|皇甫|尉迟|夏侯|司徒|[王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗郑梁谢宋唐许邓韩冯曹彭曾萧肖田董潘袁蔡蒋余杜叶程魏苏吕丁卢姚沈钟姜崔谭"
    "陆范汪廖石金韦贾夏付邹熊孟秦邱侯江尹薛闫段雷龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔汤温施洪俞章鲁倪方高])"
)
_TITLE = "(?:先生|女士|小姐|太太|师傅|同志|大爷|大妈|大伯|阿姨|老师|医生|老人|某)"
_STREET = "(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Place|Pl|Square|Sq|Terrace|Court|Ct|Way)"

# The first that fits at a place wins; a group `keep` stays as it is.
_RULES = (
    r"(?P<keep>(?<![A-Za-z0-9])[A-Z][A-Z0-9]{0,5}-[0-9]{8}-[0-9]{6,}(?![\w-])"  # the number of a case
    r"|(?<![\d-])(?:19|20)\d\d(?:-\d\d?-\d\d?|/\d\d?/\d\d?)(?![\d-]))",  # a date
    r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+",  # e-mail
    r"(?:https?://|www\.)[^\s，。；]+",
    r"(?:微信|(?i:qq|wechat|vx))(?:号码?)?[是为:：\s]*[A-Za-z0-9_-]{5,}",
    r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼使][A-Za-z][·•\s-]?[A-Za-z0-9]{4,6}[挂学警港澳]?",  # plate
    r"(?i:plates?|licence|license|车牌)(?i:号码?|\s?numbers?|\s?no\.?)?[是为:：#\s]*"
    r"(?=[A-Za-z -]*\d)[A-Za-z0-9][A-Za-z0-9 -]{2,8}",
    r"\+?[(（]?\d(?:[ \-–—.·()（）]{0,2}\d){6,}[Xx]?",  # telephone, identity card, bank card, however it is spaced
    r"[A-Z]{1,2}\d{6,}",  # passport, permit
    r"\d+(?:[-－‐-―]\d+)*[A-Za-z甲乙丙]?(?=(?:号楼|号院|号门|号|弄|幢|栋|座|单元|室|户|房)(?!线))",
    rf"\b\d{{1,5}}[A-Za-z]?(?=\s+(?:[A-Z][\w'.]*\s+){{1,3}}{_STREET}\b)",
    r"\b(?i:apt|apartment|unit|suite|room)\.? ?#? ?\d+[A-Za-z]?\b",
    rf"{_SURNAME}[\u4e00-\u9fff]{{0,2}}?(?={_TITLE})",
    rf"(?<=反映人|上报人|联系人|当事人|报案人|投诉人|来电人|诉求人){_SURNAME}[\u4e00-\u9fff]{{1,2}}",
    rf"(?<=姓名|名叫|业主|住户|户主){_SURNAME}[\u4e00-\u9fff]{{1,2}}",
    rf"(?<=[：:]){_SURNAME}[\u4e00-\u9fff]{{1,2}}(?![\u4e00-\u9fff])",  # 联系人：张三丰
    r"\b(?:Mr|Mrs|Ms|Miss|Dr|Prof)\b\.?\s+[A-Z][\w'’-]+(?:\s+[A-Z][\w'’-]+)?",
)
_PRIVATE = re.compile("|".join(_RULES))


def masked(text: str, names: Iterable[str] = ()) -> str:
    """The text without telephone numbers, identity and bank cards, e-mail, plates, house numbers, titled and given names.

    Args:
        names: names known to belong to the matter, such as the reporter's; each is taken out wherever it stands.
    """
    known = sorted({name.strip() for name in names if len(name.strip()) >= SHORTEST_NAME}, key=len, reverse=True)
    if known:
        text = re.sub("|".join(map(re.escape, known)), MASK, text, flags=re.IGNORECASE)
    return _PRIVATE.sub(lambda found: found["keep"] or MASK, text)
