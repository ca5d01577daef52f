"""The roads to a customer: rendering a message, handing it to a provider, reading the receipt.

    preparing                       from an action to what its channel is handed, by
      rendering, filling, dating, wording
                                      the templates, dates on the customer's clock, and the few words that are ours
      links, references, coupons      addresses that lead back to us, what reports lead back by, codes
    port, registry                  what a channel is handed and answers; from its URL to the channel
    email/, push/, sms/, whatsapp/, telegram/, twilio, webhook, notifiers, streaming, cases, console
                                    the channels
    api, answers, guarded, deadlines, sealing, numbers
                                    what they share: providers' APIs, what answers mean, the guarded way out, ends,
                                    signatures, phones
    inbound/, receipts, machines    what comes back, as events of ours; what no person did

Owns templates, addresses, retries' reasons and each provider's manners.
Must never decide whether a message may go: that decision is made, and on record, before an action gets here.
"""
