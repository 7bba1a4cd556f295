-- The answer to a question may bring a picture or a short video of the shop's library.
alter table faq_entry add column media uuid;
create index faq_entry_by_media on faq_entry (shop_id, media) where media is not null;
