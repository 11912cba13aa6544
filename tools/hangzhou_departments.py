"""The bodies that Hangzhou's `departments.csv` is made of; `{}` is the place, `{short}` the place without 区/县/市."""

from __future__ import annotations

from typing import NamedTuple


class Body(NamedTuple):
    """One body: `code` ends its department code, `function` is the word by which dispatch rules find it."""

    code: str
    name: str
    name_en: str
    function: str
    kind: str = "unit"
    last_resort: bool = False


CITY = [
    Body("YX", "{}市城市运行管理中心", "{} City Operations Centre", "operations_center", "office"),
    Body("12345", "{}市12345市长公开电话受理中心", "{} 12345 Hotline Centre", "hotline", "office"),
    Body("SJ", "{}市数据资源管理局", "{} Data Resources Bureau", "data", "office"),
    Body("CGJ", "{}市城市管理局（综合行政执法局）", "{} Urban Management Bureau", "urban_management"),
    Body("HW", "{}市环境卫生事务中心", "{} Sanitation Centre", "sanitation"),
    Body("SZ", "{}市市政设施管理中心", "{} Municipal Facilities Centre", "municipal"),
    Body("LD", "{}市城市照明管理中心", "{} Street Lighting Centre", "lighting"),
    Body("JW", "{}市城乡建设委员会", "{} Urban and Rural Construction Commission", "construction"),
    Body("FG", "{}市住房保障和房产管理局", "{} Housing Bureau", "housing"),
    Body("YL", "{}市园林文物局", "{} Landscape and Heritage Bureau", "landscape"),
    Body("GZ", "{}市规划和自然资源局", "{} Planning and Natural Resources Bureau", "planning"),
    Body("HB", "{}市生态环境局", "{} Ecology and Environment Bureau", "ecology"),
    Body("JT", "{}市交通运输局", "{} Transport Bureau", "transport"),
    Body("GA", "{}市公安局", "{} Public Security Bureau", "police"),
    Body("JJ", "{}市公安局交通警察支队", "{} Traffic Police", "traffic_police"),
    Body("LS", "{}市林业水利局", "{} Forestry and Water Bureau", "water_resources"),
    Body("SW", "{}市水务集团有限公司", "{} Water Group", "water", "company"),
    Body("RQ", "{}市燃气集团有限公司", "{} Gas Group", "gas", "company"),
    Body("GD", "国网浙江省电力有限公司{}供电公司", "State Grid {} Power Supply Company", "power", "company"),
    Body("TX", "{}通信运营企业联合受理点", "{} Telecom Operators' Joint Desk", "telecom", "company"),
    Body("DT", "{}市地铁集团有限责任公司运营分公司", "{} Metro Operations", "metro", "company"),
    Body("GJ", "{}市公共交通集团有限公司", "{} Public Transport Group", "bus", "company"),
    Body("SC", "{}市市场监督管理局", "{} Market Regulation Bureau", "market"),
    Body("WJ", "{}市卫生健康委员会", "{} Health Commission", "health"),
    Body("YB", "{}市医疗保障局", "{} Medical Insurance Bureau", "medical_insurance"),
    Body("MZ", "{}市民政局", "{} Civil Affairs Bureau", "civil_affairs"),
    Body("YJ", "{}市应急管理局", "{} Emergency Management Bureau", "emergency"),
    Body("XF", "{}市消防救援支队", "{} Fire and Rescue", "fire"),
    Body("JY", "{}市教育局", "{} Education Bureau", "education"),
    Body("RS", "{}市人力资源和社会保障局", "{} Human Resources and Social Security Bureau", "labour"),
    Body("SF", "{}市司法局", "{} Justice Bureau", "justice"),
    Body("WL", "{}市文化广电旅游局", "{} Culture and Tourism Bureau", "culture_tourism"),
    Body("NY", "{}市农业农村局", "{} Agriculture and Rural Affairs Bureau", "agriculture"),
    Body("SWJ", "{}市商务局", "{} Commerce Bureau", "commerce"),
    Body("SWU", "国家税务总局{}市税务局", "{} Tax Service", "tax"),
    Body("XZ", "{}市政务服务中心", "{} Government Service Centre", "government_service"),
]

DISTRICT = [
    Body("YX", "{}城市运行中心", "{} Operations Centre", "operations_center", "office", last_resort=True),
    Body("CGJ", "{}城市管理局（综合行政执法局）", "{} Urban Management Bureau", "urban_management"),
    Body("HW", "{}环境卫生管理中心", "{} Sanitation Centre", "sanitation"),
    Body("SZ", "{}市政设施养护中心", "{} Municipal Facilities Centre", "municipal"),
    Body("ZJ", "{}住房和城乡建设局", "{} Housing and Construction Bureau", "housing"),
    Body("JG", "{}建设工程质量安全监督站", "{} Construction Supervision Station", "construction"),
    Body("YL", "{}园林绿化管理中心", "{} Landscape Centre", "landscape"),
    Body("GZ", "杭州市规划和自然资源局{short}分局", "{} Branch of Planning and Natural Resources", "planning"),
    Body("HB", "杭州市生态环境局{short}分局", "{} Branch of Ecology and Environment", "ecology"),
    Body("JT", "{}交通运输局", "{} Transport Bureau", "transport"),
    Body("GA", "{}公安分局", "{} Public Security Branch", "police"),
    Body("JJ", "{}公安交警大队", "{} Traffic Police Squad", "traffic_police"),
    Body("LS", "{}林业水利局", "{} Forestry and Water Bureau", "water_resources"),
    Body("SC", "{}市场监督管理局", "{} Market Regulation Bureau", "market"),
    Body("WJ", "{}卫生健康局", "{} Health Bureau", "health"),
    Body("MZ", "{}民政局", "{} Civil Affairs Bureau", "civil_affairs"),
    Body("YJ", "{}应急管理局", "{} Emergency Management Bureau", "emergency"),
    Body("XF", "{}消防救援大队", "{} Fire and Rescue Squad", "fire"),
    Body("JY", "{}教育局", "{} Education Bureau", "education"),
    Body("RS", "{}人力资源和社会保障局", "{} Human Resources and Social Security Bureau", "labour"),
    Body("SF", "{}司法局", "{} Justice Bureau", "justice"),
    Body("WL", "{}文化和广电旅游体育局", "{} Culture and Tourism Bureau", "culture_tourism"),
    Body("NY", "{}农业农村局", "{} Agriculture and Rural Affairs Bureau", "agriculture"),
]
