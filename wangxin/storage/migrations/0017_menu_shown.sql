-- Which shopper saw which version of the menu on which day: what the taps are measured against.

create table menu_shown (
  shop_id uuid not null references shop,
  day date not null,                   -- UTC
  shopper_id uuid not null,
  version int not null,
  primary key (shop_id, day, shopper_id, version)
);
select wall_shop('menu_shown');
