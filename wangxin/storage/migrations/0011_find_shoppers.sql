-- A shopper's login read all shoppers of his shop, twice: for guests he once was, and for names by id alone.

create index shopper_once_guest on shopper (shop_id, merged_into) where merged_into is not null;
create unique index shopper_by_id on shopper (id);
