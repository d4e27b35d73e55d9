//! Which lodgings fit a filter, in which order, and what a stay in them costs.
//!
//! Two ways, one result: a filter or an order that looks at prices or free rooms needs the
//! availability of all candidates; any other needs that of one page only.

use std::cmp::Ordering;
use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use service::cursor::Cursor;
use sqlx::AnyPool;

use crate::availability;
use crate::catalogue::{Catalogue, Lodging};
use crate::kind::LodgingType;
use crate::price::Night;
use crate::stay::Stay;

/// What somebody looks for.
#[derive(Debug)]
pub(crate) struct Filter {
    pub(crate) area: Option<i64>,
    pub(crate) kinds: Vec<LodgingType>,
    /// In lower case.
    pub(crate) keyword: Option<String>,
    pub(crate) guests: Option<i64>,
    pub(crate) min_price: Option<i64>,
    pub(crate) max_price: Option<i64>,
    pub(crate) available_only: bool,
    pub(crate) stay: Stay,
    pub(crate) sort: Sort,
}

/// In which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sort {
    pub(crate) field: Field,
    pub(crate) is_descending: bool,
}

/// By what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Id,
    Price,
    Name,
    Availability,
}

/// The sort value of one lodging.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Key {
    Id,
    Price(Option<i64>),
    Name(String),
    Availability(usize),
}

/// What one lodging has to offer for the stay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Offer {
    /// The lowest price of the whole stay among the free rooms.
    pub(crate) start_price: Option<i64>,
    pub(crate) free_rooms: usize,
}

/// One page of what was found.
#[derive(Debug)]
pub(crate) struct Found<'a> {
    pub(crate) page: Vec<(&'a Lodging, Offer)>,
    /// Where the next page begins, if there is one.
    pub(crate) next: Option<Cursor<Key>>,
    pub(crate) total: usize,
}

/// Finds the page of `size` lodgings that comes after `after`.
pub(crate) async fn search<'a>(
    catalogue: &'a Catalogue,
    pool: &AnyPool,
    filter: &Filter,
    after: Option<&Cursor<Key>>,
    size: usize,
) -> Result<Found<'a>, sqlx::Error> {
    let pricing = Pricing::new(catalogue.seed, filter);
    let candidates = catalogue.lodgings.iter().filter(|lodging| filter.admits(lodging));
    if filter.looks_at_offers() {
        let blocked = availability::blocked(pool, filter.stay).await?;
        let offers = candidates.map(|lodging| (lodging, pricing.offer(lodging, &blocked)));
        return Ok(filter.page(offers.filter(|(_, offer)| filter.accepts(offer)), after, size));
    }
    let mut found = filter.page(candidates.map(|lodging| (lodging, Offer::default())), after, size);
    let rooms = found.page.iter().flat_map(|(lodging, _)| &lodging.rooms);
    let rooms: Vec<i64> = rooms.map(|room| room.id).collect();
    let exceptions = availability::exceptions(pool, filter.stay, &rooms).await?;
    let blocked = exceptions.into_keys().map(|(room_id, _)| room_id).collect();
    for (lodging, offer) in &mut found.page {
        *offer = pricing.offer(lodging, &blocked);
    }
    Ok(found)
}

impl Filter {
    /// Whether a lodging fits whatever its prices and free rooms.
    fn admits(&self, lodging: &Lodging) -> bool {
        self.area.is_none_or(|area| lodging.area_code == area)
            && (self.kinds.is_empty() || self.kinds.contains(&lodging.kind))
            && self
                .keyword
                .as_ref()
                .is_none_or(|keyword| lodging.name.to_lowercase().contains(keyword))
            && lodging.rooms.iter().any(|room| room.takes(self.guests))
    }

    fn looks_at_offers(&self) -> bool {
        let by_offer = matches!(self.sort.field, Field::Price | Field::Availability);
        by_offer || self.available_only || self.min_price.is_some() || self.max_price.is_some()
    }

    fn accepts(&self, offer: &Offer) -> bool {
        let is_within = |price: i64| {
            self.min_price.is_none_or(|least| price >= least)
                && self.max_price.is_none_or(|most| price <= most)
        };
        let has_bound = self.min_price.is_some() || self.max_price.is_some();
        (!self.available_only || offer.free_rooms > 0)
            && (!has_bound || offer.start_price.is_some_and(is_within))
    }

    fn page<'a>(
        &self,
        found: impl Iterator<Item = (&'a Lodging, Offer)>,
        after: Option<&Cursor<Key>>,
        size: usize,
    ) -> Found<'a> {
        let mut rows: Vec<_> = found
            .map(|(lodging, offer)| (self.sort.position(lodging, &offer), lodging, offer))
            .collect();
        let total = rows.len();
        if let Some(after) = after {
            rows.retain(|(position, ..)| self.sort.compare(position, after) == Ordering::Greater);
        }
        rows.sort_unstable_by(|left, right| self.sort.compare(&left.0, &right.0));
        let has_next = rows.len() > size;
        rows.truncate(size);
        let next = rows.last().map(|(position, ..)| position.clone()).filter(|_| has_next);
        let page = rows.into_iter().map(|(_, lodging, offer)| (lodging, offer)).collect();
        Found { page, next, total }
    }
}

impl Sort {
    fn position(self, lodging: &Lodging, offer: &Offer) -> Cursor<Key> {
        let key = match self.field {
            Field::Id => Key::Id,
            Field::Price => Key::Price(offer.start_price),
            Field::Name => Key::Name(lodging.name.clone()),
            Field::Availability => Key::Availability(offer.free_rooms),
        };
        Cursor { key, id: lodging.place_id }
    }

    /// Lodgings without a price come last in either direction: nobody looks for them.
    fn compare(self, left: &Cursor<Key>, right: &Cursor<Key>) -> Ordering {
        match (&left.key, &right.key) {
            (Key::Price(None), Key::Price(Some(_))) => return Ordering::Greater,
            (Key::Price(Some(_)), Key::Price(None)) => return Ordering::Less,
            _ => {}
        }
        let ascending = left.key.cmp(&right.key).then(left.id.cmp(&right.id));
        if self.is_descending { ascending.reverse() } else { ascending }
    }
}

/// What is the same for all rooms of one search.
struct Pricing {
    seed: u64,
    nights: Vec<Night>,
    guests: Option<i64>,
}

impl Pricing {
    fn new(seed: u64, filter: &Filter) -> Self {
        Self { seed, nights: filter.stay.nights().map(Night::new).collect(), guests: filter.guests }
    }

    fn offer(&self, lodging: &Lodging, blocked: &HashSet<i64>) -> Offer {
        let free = lodging.rooms.iter().filter(|room| {
            lodging.is_open
                && room.is_open
                && room.takes(self.guests)
                && !blocked.contains(&room.id)
        });
        free.fold(Offer::default(), |offer, room| {
            let prices = self.nights.iter();
            let total = prices.map(|night| night.price(self.seed, room.id, room.base_price)).sum();
            Offer {
                start_price: Some(offer.start_price.map_or(total, |lowest| lowest.min(total))),
                free_rooms: offer.free_rooms + 1,
            }
        })
    }
}
