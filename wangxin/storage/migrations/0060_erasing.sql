-- A shopper may ask that what the shop knows of him is erased: the door is shut at once, his words go soon after.

alter table shopper
  add column erase_asked_at timestamptz,
  add column erased_at timestamptz;
create index shopper_to_erase on shopper (erase_asked_at) where erase_asked_at is not null and erased_at is null;
