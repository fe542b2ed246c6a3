; Sandwiches are made in the kitchen and brought on trays to children, some of whom must not eat
; gluten.
(define (domain childsnack)
  (:requirements :strips :typing)
  (:types child bread-portion content-portion sandwich tray place)
  (:constants kitchen - place)
  (:predicates
    (at-kitchen-bread ?b - bread-portion)
    (at-kitchen-content ?c - content-portion)
    (no-gluten-bread ?b - bread-portion)
    (no-gluten-content ?c - content-portion)
    (not-made ?s - sandwich)
    (at-kitchen-sandwich ?s - sandwich)
    (no-gluten-sandwich ?s - sandwich)
    (on-tray ?s - sandwich ?t - tray)
    (at ?t - tray ?p - place)
    (waiting ?c - child ?p - place)
    (allergic-gluten ?c - child)
    (not-allergic-gluten ?c - child)
    (served ?c - child))

  (:action make-sandwich-no-gluten
    :parameters (?s - sandwich ?b - bread-portion ?c - content-portion)
    :precondition (and (at-kitchen-bread ?b) (at-kitchen-content ?c) (no-gluten-bread ?b)
                       (no-gluten-content ?c) (not-made ?s))
    :effect (and (at-kitchen-sandwich ?s) (no-gluten-sandwich ?s) (not (at-kitchen-bread ?b))
                 (not (at-kitchen-content ?c)) (not (not-made ?s))))

  (:action make-sandwich
    :parameters (?s - sandwich ?b - bread-portion ?c - content-portion)
    :precondition (and (at-kitchen-bread ?b) (at-kitchen-content ?c) (not-made ?s))
    :effect (and (at-kitchen-sandwich ?s) (not (at-kitchen-bread ?b))
                 (not (at-kitchen-content ?c)) (not (not-made ?s))))

  (:action put-on-tray
    :parameters (?s - sandwich ?t - tray)
    :precondition (and (at-kitchen-sandwich ?s) (at ?t kitchen))
    :effect (and (on-tray ?s ?t) (not (at-kitchen-sandwich ?s))))

  (:action serve-sandwich-no-gluten
    :parameters (?s - sandwich ?c - child ?t - tray ?p - place)
    :precondition (and (allergic-gluten ?c) (no-gluten-sandwich ?s) (on-tray ?s ?t) (at ?t ?p)
                       (waiting ?c ?p))
    :effect (and (served ?c) (not (on-tray ?s ?t))))

  (:action serve-sandwich
    :parameters (?s - sandwich ?c - child ?t - tray ?p - place)
    :precondition (and (not-allergic-gluten ?c) (on-tray ?s ?t) (at ?t ?p) (waiting ?c ?p))
    :effect (and (served ?c) (not (on-tray ?s ?t))))

  (:action move-tray
    :parameters (?t - tray ?from ?to - place)
    :precondition (at ?t ?from)
    :effect (and (at ?t ?to) (not (at ?t ?from)))))
