//! Areas: how many lodgings each has, its districts, and where it lies.
//!
//! Names are administrative divisions; boxes are rough, in millionths of a degree.

/// One of the 17 areas of Korea.
#[derive(Debug)]
pub(crate) struct Area {
    pub(crate) code: i64,
    pub(crate) name: &'static str,
    pub(crate) lodgings: i64,
    pub(crate) districts: &'static [&'static str],
    pub(crate) latitude_e6: (i64, i64),
    pub(crate) longitude_e6: (i64, i64),
}

/// Lodgings of all areas; ids beyond it begin again with the first area.
pub(crate) const LODGINGS: i64 = 3000;

/// Every area, in the order of their codes.
pub(crate) const ALL: &[Area] = &[
    area(0, "서울", 420, SEOUL, (37_460_000, 37_660_000), (126_820_000, 127_130_000)),
    area(1, "부산", 300, BUSAN, (35_080_000, 35_280_000), (128_960_000, 129_220_000)),
    area(2, "대구", 90, DAEGU, (35_800_000, 35_940_000), (128_500_000, 128_700_000)),
    area(3, "인천", 150, INCHEON, (37_390_000, 37_560_000), (126_400_000, 126_740_000)),
    area(4, "광주", 60, GWANGJU, (35_100_000, 35_220_000), (126_760_000, 126_960_000)),
    area(5, "대전", 60, DAEJEON, (36_280_000, 36_420_000), (127_300_000, 127_460_000)),
    area(6, "울산", 50, ULSAN, (35_480_000, 35_620_000), (129_200_000, 129_440_000)),
    area(7, "세종", 20, SEJONG, (36_470_000, 36_610_000), (127_220_000, 127_320_000)),
    area(8, "경기", 380, GYEONGGI, (37_050_000, 37_900_000), (126_750_000, 127_550_000)),
    area(9, "강원", 420, GANGWON, (37_200_000, 38_200_000), (127_700_000, 128_900_000)),
    area(10, "충북", 90, CHUNGBUK, (36_500_000, 37_100_000), (127_450_000, 128_300_000)),
    area(11, "충남", 150, CHUNGNAM, (36_200_000, 36_850_000), (126_350_000, 127_200_000)),
    area(12, "전북", 110, JEONBUK, (35_450_000, 36_000_000), (126_600_000, 127_600_000)),
    area(13, "전남", 170, JEONNAM, (34_400_000, 35_250_000), (126_350_000, 127_650_000)),
    area(14, "경북", 160, GYEONGBUK, (35_750_000, 36_900_000), (128_300_000, 129_450_000)),
    area(15, "경남", 170, GYEONGNAM, (34_800_000, 35_550_000), (127_750_000, 128_900_000)),
    area(16, "제주", 200, JEJU, (33_240_000, 33_530_000), (126_200_000, 126_900_000)),
];

/// The area with this code.
pub(crate) fn by_code(code: i64) -> Option<&'static Area> {
    ALL.iter().find(|area| area.code == code)
}

/// The area a lodging lies in, which its id alone decides.
pub(crate) fn of_place(place_id: i64) -> Option<&'static Area> {
    let mut position = place_id.checked_sub(1)?.rem_euclid(LODGINGS);
    ALL.iter().find(|area| {
        let is_here = position < area.lodgings;
        position -= area.lodgings;
        is_here
    })
}

const fn area(
    code: i64,
    name: &'static str,
    lodgings: i64,
    districts: &'static [&'static str],
    latitude_e6: (i64, i64),
    longitude_e6: (i64, i64),
) -> Area {
    Area { code, name, lodgings, districts, latitude_e6, longitude_e6 }
}

const SEOUL: &[&str] =
    &["강남구", "마포구", "종로구", "중구", "용산구", "송파구", "영등포구", "서초구"];
const BUSAN: &[&str] = &["해운대구", "수영구", "중구", "부산진구", "기장군", "동래구", "영도구"];
const DAEGU: &[&str] = &["중구", "수성구", "동구", "달서구", "북구"];
const INCHEON: &[&str] = &["중구", "연수구", "남동구", "강화군", "옹진군", "부평구"];
const GWANGJU: &[&str] = &["동구", "서구", "북구", "광산구"];
const DAEJEON: &[&str] = &["유성구", "중구", "서구", "동구"];
const ULSAN: &[&str] = &["남구", "중구", "동구", "울주군"];
const SEJONG: &[&str] = &["조치원읍", "한솔동", "도담동", "장군면"];
const GYEONGGI: &[&str] =
    &["수원시", "고양시", "용인시", "가평군", "양평군", "파주시", "포천시", "화성시"];
const GANGWON: &[&str] =
    &["강릉시", "속초시", "춘천시", "평창군", "양양군", "홍천군", "정선군", "동해시"];
const CHUNGBUK: &[&str] = &["청주시", "충주시", "제천시", "단양군", "보은군"];
const CHUNGNAM: &[&str] = &["천안시", "공주시", "보령시", "태안군", "서산시", "부여군"];
const JEONBUK: &[&str] = &["전주시", "군산시", "남원시", "무주군", "부안군"];
const JEONNAM: &[&str] = &["여수시", "순천시", "목포시", "담양군", "완도군", "해남군"];
const GYEONGBUK: &[&str] = &["경주시", "포항시", "안동시", "울진군", "영덕군"];
const GYEONGNAM: &[&str] = &["창원시", "통영시", "거제시", "남해군", "하동군", "김해시"];
const JEJU: &[&str] = &["제주시", "서귀포시", "제주시 애월읍", "제주시 조천읍", "서귀포시 성산읍"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole() {
        assert_eq!(ALL.iter().map(|area| area.lodgings).sum::<i64>(), LODGINGS);
        for (code, area) in (0_i64..).zip(ALL) {
            assert_eq!(area.code, code);
            assert!((3..=8).contains(&area.districts.len()), "{}", area.name);
        }
    }

    #[test]
    fn ids_run_area_by_area() {
        let name = |place_id| of_place(place_id).unwrap().name;
        assert_eq!(
            [1, 420, 421, 720, 721, 3000, 3001].map(name),
            ["서울", "서울", "부산", "부산", "대구", "제주", "서울"]
        );
    }
}
