-- A canned reply may bring a picture or a short video: a size chart, a code to scan.
alter table canned_reply add column media uuid;
create index canned_reply_by_media on canned_reply (shop_id, media) where media is not null;
